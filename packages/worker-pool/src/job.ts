import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { TrackerGuard } from '@quiesce/scope';
import type { Level, Place } from './line.ts';

/** How one job runs. */
export interface JobOptions {
  /** Higher goes first; a finite number, default 0. Of the same priority: first come, first served. */
  readonly priority?: number | undefined;
  /** After so many milliseconds from its start, 0 to `Infinity`, its token is cancelled; default: the pool's. */
  readonly timeout?: number | undefined;
  /** Cancels it: one that has not started never does. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** How reports call it; default: the name of the function, else `job`. */
  readonly name?: string | undefined;
}

/** One job, from `execute` until it has ended; a place in a line until it starts. */
export class Job implements Place {
  next: Place | undefined = undefined;
  prev: Place | undefined = undefined;
  level: Level | undefined = undefined;
  readonly name: string;
  readonly priority: number;
  readonly signal: CancellationToken | undefined;
  /** Counts it from its acceptance to its end; set by the pool. */
  guard: TrackerGuard | undefined = undefined;
  /** Set when it starts; `undefined`: it has not. */
  token: CancellationToken | undefined = undefined;
  /** Set by `cancel`. */
  cancelled: { readonly reason: unknown } | undefined = undefined;
  /** When it got its worker, on the clock; set by the pool. */
  startedAt = 0;
  /** Settles the promise for which a job waits that did not start at once. */
  #go: () => void = ignore;
  #fail: (reason: unknown) => void = ignore;

  constructor(name: string, priority: number, signal: CancellationToken | undefined) {
    this.name = name;
    this.priority = priority;
    this.signal = signal;
  }

  /** Fulfils with `go`, rejects with `fail`. */
  turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#go = resolve;
      this.#fail = reject;
    });
  }

  go(): void {
    this.#go();
  }

  fail(reason: unknown): void {
    this.#fail(reason);
  }

  /** It has a worker now, and starts, unless it was cancelled in between. */
  start(clock: Clock, timeout: number): CancellationToken {
    const token = tokenOf(this.signal, timeout, clock);
    if (this.cancelled !== undefined) token.cancel(this.cancelled.reason);
    this.token = token;
    return token;
  }

  /** Cancels it: also between having a worker and its start, one microtask later. */
  cancel(reason: unknown): void {
    this.cancelled ??= { reason };
    this.token?.cancel(reason);
  }
}

/** No more tokens than needed: most jobs have neither a signal nor a time limit. */
function tokenOf(signal: CancellationToken | undefined, timeout: number, clock: Clock): CancellationToken {
  if (timeout === Number.POSITIVE_INFINITY) return signal?.childToken() ?? new CancellationToken();
  return (signal ?? new CancellationToken()).withTimeout(timeout, { clock });
}
