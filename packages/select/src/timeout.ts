import {
  CancellationToken,
  type Clock,
  consumeSlice,
  isCancellationOf,
  PENDING,
  type Source,
  source,
  systemClock,
  TimeoutError,
  type Waiter,
} from '@quiesce/cancellation-token';
import { checkTime, dateTime } from '@quiesce/internal';
import type { BranchFunction, BranchValue } from './branches.ts';
import { FUNCTION, kindOf, MATCH, OFF } from './kinds.ts';
import { handleAll } from './refused.ts';
import { select } from './select.ts';
import { settle } from './settle.ts';

/** How a timeout waits. */
export interface TimeoutOptions {
  /** Gives the wait up, and cancels work that was started here. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** What one can wait for with a time limit. */
type Work = Source<unknown> | AbortSignal | PromiseLike<unknown> | BranchFunction;

/**
 * Waits for work, but no longer than so many milliseconds.
 *
 * A function is started with a token that has the deadline; at the deadline that is cancelled, **and the function is
 * awaited**: if it fulfils all the same, its value is the result. A promise is left alone, and so is a source.
 *
 * **Timing.** Work that is ready at the deadline goes before it, also with a time of 0. The timer holds the process.
 *
 * **Cancel safety.** A source that was not ready in time has given nothing. As a branch of a `select` write
 * `(token) => timeout(ms, work, { signal: token })`.
 *
 * @param ms milliseconds from 0 to `Infinity` (no limit)
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options `signal`: gives up earlier; `clock`: where time comes from
 * @returns the value of the work
 * @throws TimeoutError when the time is over; what the work fails with; the reason of `signal`, and then a function that
 *   was not started is not started; RangeError when `ms` is no time; TypeError when `work` or `signal` is none
 * @see tokio::time::timeout (tokio 1.53)
 * @example
 * ```ts
 * const slow = (token: CancellationToken) => select({ stopped: token, done: sleep(60_000) }, { signal: token });
 * await timeout(5, slow).catch((error) => console.log(String(error))); // => TimeoutError: Timed out after 5 ms
 * ```
 */
export async function timeout<W extends Work>(ms: number, work: W, options?: TimeoutOptions): Promise<BranchValue<W>> {
  const left = (): number => {
    checkTime('timeout: the time', ms);
    return ms;
  };
  return limited(left, work, options) as Promise<BranchValue<W>>;
}

/**
 * Waits for work, but no longer than to a time of day; otherwise as `timeout`. A time that has passed is one of 0 ms.
 *
 * @param date until when
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options `signal`: gives up earlier; `clock`: where time comes from
 * @throws what `timeout` throws; RangeError when `date` is not a valid date
 * @see tokio::time::timeout_at (tokio 1.53)
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const nine = new Date(clock.wall() + 9_000);
 * console.log(await timeoutAt(nine, async (token) => token.deadline?.getTime(), { clock })); // => 9000
 * ```
 */
export async function timeoutAt<W extends Work>(
  date: Date,
  work: W,
  options?: TimeoutOptions,
): Promise<BranchValue<W>> {
  const left = (): number => {
    return Math.max(0, dateTime('timeoutAt', date) - (options?.clock ?? systemClock).wall());
  };
  return limited(left, work, options) as Promise<BranchValue<W>>;
}

async function limited(left: () => number, work: Work, options: TimeoutOptions | undefined): Promise<unknown> {
  let start: () => Promise<unknown>;
  try {
    start = prepared(left(), work, options);
  } catch (error) {
    handleAll({ work });
    throw error;
  }
  return start();
}

/** Looks at the arguments, and does nothing yet. */
function prepared(ms: number, work: Work, options: TimeoutOptions | undefined): () => Promise<unknown> {
  const kind = kindOf(work, 'work');
  if (kind === OFF || kind & MATCH) {
    throw new TypeError('timeout: the work must be a function, a promise, a source or a signal');
  }
  const clock = options?.clock ?? systemClock;
  const outer = options?.signal === undefined ? undefined : CancellationToken.from(options.signal);
  return kind === FUNCTION
    ? () => runLimited(ms, work as BranchFunction, clock, outer)
    : () => awaitLimited(ms, work as Exclude<Work, BranchFunction>, clock, outer);
}

/** A promise or a source, against a timer that only counts once it has fired: what is ready goes first. */
async function awaitLimited(
  ms: number,
  given: Exclude<Work, BranchFunction>,
  clock: Clock,
  signal: CancellationToken | undefined,
): Promise<unknown> {
  // Settled, so that it is no branch of ours that `branchOf` names.
  const work = settle(given);
  const due = new CancellationToken();
  // Made here, where the caller is in the stack.
  const error = new TimeoutError(ms);
  const timer = clock.setTimer(ms, () => due.cancel(error), { ref: true });
  try {
    const outcome = await select.biased({ work, due }, { signal });
    if (outcome.branch === 'due') throw outcome.value;
    const settled = outcome.value;
    if (settled.ok) return settled.value;
    throw settled.error;
  } finally {
    clock.clearTimer(timer);
  }
}

async function runLimited(
  ms: number,
  work: BranchFunction,
  clock: Clock,
  outer: CancellationToken | undefined,
): Promise<unknown> {
  // The token's protocol and not its state: a disposed one shares the fate of its parent.
  const reason = outer === undefined ? PENDING : outer[source].poll();
  if (reason !== PENDING) throw reason;
  const token = (outer ?? new CancellationToken()).withTimeout(ms, { clock });
  // Somebody who waits for a deadline holds the process; it also cancels what never looks at its token.
  const holds: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => {} };
  token[source].park(holds);
  try {
    return await work(token);
  } catch (error) {
    throw isCancellationOf(error, token) ? token.reason : error;
  } finally {
    token[source].unpark(holds);
    token.dispose();
    // A loop over work that only computes must not starve the event loop.
    const turn = consumeSlice();
    if (turn !== undefined) await turn;
  }
}
