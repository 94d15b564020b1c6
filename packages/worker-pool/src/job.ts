import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { TrackerGuard } from '@quiesce/scope';
import type { PriorityLevel, QueueEntry } from './priority-queue.ts';

/** Options for one job. */
export interface JobOptions {
  /** A finite number; higher priorities run first. Default: 0. Jobs of equal priority run first in, first out. */
  readonly priority?: number | undefined;
  /** How many milliseconds, 0 to `Infinity`, the job may run before its token is cancelled. Default: the pool's. */
  readonly timeout?: number | undefined;
  /** Cancels the job. A job that has not started never starts then. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Name shown in reports. Default: the name of the function, or `job`. */
  readonly name?: string | undefined;
}

/** One job, from `execute` until it has ended. It is a queue entry until it has a worker. */
export class Job implements QueueEntry {
  next: QueueEntry | undefined = undefined;
  prev: QueueEntry | undefined = undefined;
  level: PriorityLevel | undefined = undefined;
  readonly name: string;
  readonly priority: number;
  readonly signal: CancellationToken | undefined;
  /** Counts the job from its acceptance to its end. Set by the scheduler, or `undefined` before the job is accepted. */
  guard: TrackerGuard | undefined = undefined;
  /** The job's token, or `undefined` before the job starts. */
  token: CancellationToken | undefined = undefined;
  /** Set by `cancel`. */
  cancelled: { readonly reason: unknown } | undefined = undefined;
  /** When the job got its worker, on the clock; set by the scheduler. */
  startedAt = 0;
  /** Fulfils the promise of `waitForWorker`. */
  assignWorker: () => void = ignore;
  /** Rejects it. */
  reject: (reason: unknown) => void = ignore;

  constructor(name: string, priority: number, signal: CancellationToken | undefined) {
    this.name = name;
    this.priority = priority;
    this.signal = signal;
  }

  /** Settles when `assignWorker` or `reject` is called. */
  waitForWorker(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.assignWorker = resolve;
      this.reject = reject;
    });
  }

  /** Makes the token with which the job runs. The token is cancelled when the job was cancelled since it got its worker. */
  start(clock: Clock, timeout: number): CancellationToken {
    const token = makeToken(this.signal, timeout, clock);
    if (this.cancelled !== undefined) token.cancel(this.cancelled.reason);
    this.token = token;
    return token;
  }

  /** Cancels the job, also in the microtask between getting a worker and starting. */
  cancel(reason: unknown): void {
    this.cancelled ??= { reason };
    this.token?.cancel(reason);
  }
}

/** Makes no more tokens than necessary: most jobs have neither a signal nor a time limit. */
function makeToken(signal: CancellationToken | undefined, timeout: number, clock: Clock): CancellationToken {
  if (timeout === Number.POSITIVE_INFINITY) return signal?.childToken() ?? new CancellationToken();
  return (signal ?? new CancellationToken()).withTimeout(timeout, { clock });
}
