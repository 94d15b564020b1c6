import { CancellationToken, reportUncaught } from '@quiesce/cancellation-token';
import type { Settings } from './options.ts';
import { newTally, type Tally } from './report.ts';

/** The progress of a drain. */
export type Phase = 'running' | 'stopping' | 'closing' | 'draining' | 'drained';

/** The facts that all parts of one drain share: phase, settings, counts and tokens. Only the drain sequence sets the phase. */
export class ServerState {
  readonly settings: Settings;
  readonly tally: Tally = newTally();
  /** Cancelled when the listener has closed. */
  readonly draining: CancellationToken = new CancellationToken({ name: 'draining' });
  /** Cancelled at the deadline, and by `abort`. The parent of the token of each request. */
  readonly deadlineToken: CancellationToken = new CancellationToken({ name: 'deadline' });
  /** It only moves forward. */
  phase: Phase = 'running';
  /** Set after the deadline, when sockets are destroyed. */
  isDestroying = false;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** Whether new requests are refused. */
  get isRefusing(): boolean {
    return this.phase === 'draining' || this.phase === 'drained';
  }
}

/** Calls a function of the user. Its error goes to the uncaught handler, and stops nothing here. Returns whether it succeeded. */
export async function callHandler(call: () => unknown): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    reportUncaught(error);
    return false;
  }
}
