import {
  CancellationToken,
  type Clock,
  consumeSlice,
  isCancellation,
  isCancellationOf,
  PENDING,
  type Source,
  source,
  systemClock,
  TimeoutError,
  waiter,
} from '@quiesce/cancellation-token';
import { checkOptions, checkTime, dateTime, isThenable, setTimer, show } from '@quiesce/internal';
import type { BranchFunction, BranchValue } from './branches.ts';
import { FUNCTION, kindFor, MATCH, OFF, wrongBranch } from './kinds.ts';
import { handleAll } from './refused.ts';
import { select } from './select.ts';
import { type Settled, settle } from './settle.ts';
import { type Watched, watch } from './watched.ts';

/** How a timeout waits. */
export interface TimeoutOptions {
  /** Gives the wait up, and cancels work that was started here. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
  /**
   * For functions that cannot be stopped, such as a query of a client that takes no signal: gives up on the function when it
   * is cancelled, and does not await it. The function gets what it does later: a value, or a failure other than its
   * cancellation. `true` drops a late value, and prints a late failure with `console.warn`, once for each promise.
   */
  readonly abandon?: boolean | ((late: PromiseSettledResult<unknown>) => void) | undefined;
}

/** What `moveOnAfter` gives. */
export type MovedOn<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'cancelled'; readonly reason: TimeoutError };

/** What one can wait for with a time limit. */
type Work = Source<unknown> | AbortSignal | PromiseLike<unknown> | BranchFunction;

/**
 * Waits for work, but no longer than so many milliseconds.
 *
 * A function is started with a token that has the deadline. At the deadline the token is cancelled, **and the function is
 * awaited**: if it fulfils all the same, its value is the result. So a function that ignores its token takes as long as it
 * takes. With `abandon` the timeout ends at the deadline, and the function runs on. A promise is left alone, and so is a
 * source.
 *
 * **Timing.** Work that is ready at the deadline goes before it, also with a time of 0. The timer holds the process.
 *
 * **Cancel safety.** A source that was not ready in time has given nothing. As a branch of a `select` write
 * `(token) => timeout(ms, work, { signal: token })`.
 *
 * @param ms milliseconds from 0 to `Infinity` (no limit)
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options `signal`: gives up earlier; `clock`: where time comes from; `abandon`: does not await the function
 * @returns the value of the work
 * @throws TimeoutError when the time is over; what the work fails with; the reason of `signal`, and then a function that
 *   was not started is not started; RangeError when `ms` is no time; TypeError when `work` or `signal` is none
 * @see tokio::time::timeout (tokio 1.53)
 * @example
 * ```ts
 * const slow = (token: CancellationToken) => select({ stopped: token, done: sleep(60_000) }, { signal: token });
 * await timeout(5, slow).catch((error) => console.log(String(error))); // => TimeoutError: Timed out after 5 ms
 *
 * const query = () => sleep(20).then(() => 'rows'); // takes no token
 * await timeout(5, query, { abandon: true }).catch((error) => console.log(error.name)); // => TimeoutError
 * ```
 */
export async function timeout<W extends Work>(ms: number, work: W, options?: TimeoutOptions): Promise<BranchValue<W>> {
  return unwrapped(limited('timeout', ms, work, options)) as Promise<BranchValue<W>>;
}

/**
 * Waits for work as `timeout` does, and says so when the time is over, where `timeout` throws.
 *
 * For work whose timeout is an ordinary result. Every other failure is thrown.
 *
 * **Timing.** As `timeout`.
 *
 * **Cancel safety.** As `timeout`.
 *
 * @param ms milliseconds from 0 to `Infinity` (no limit)
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options as of `timeout`
 * @returns `{ status: 'fulfilled', value }`, or `{ status: 'cancelled', reason }` with the `TimeoutError`
 * @throws as `timeout`, except for its own TimeoutError
 * @see trio.move_on_after (trio 0.30)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(4);
 * const next = await moveOnAfter(5, rx);
 * console.log(next.status); // => cancelled
 * await tx.send('job');
 * console.log(await moveOnAfter(5, rx)); // => { status: 'fulfilled', value: 'job' }
 * ```
 */
export async function moveOnAfter<W extends Work>(
  ms: number,
  work: W,
  options?: TimeoutOptions,
): Promise<MovedOn<BranchValue<W>>> {
  return limited('moveOnAfter', ms, work, options) as Promise<MovedOn<BranchValue<W>>>;
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
  return unwrapped(limited('timeoutAt', date, work, options)) as Promise<BranchValue<W>>;
}

async function unwrapped(ended: Promise<MovedOn<unknown>>): Promise<unknown> {
  const outcome = await ended;
  if (outcome.status === 'cancelled') throw outcome.reason;
  return outcome.value;
}

async function limited(
  call: string,
  given: number | Date,
  work: Work,
  options: TimeoutOptions | undefined,
): Promise<MovedOn<unknown>> {
  let start: () => Promise<MovedOn<unknown>>;
  try {
    start = prepared(call, given, work, options);
  } catch (error) {
    // Both: they may be swapped.
    handleAll({ given, work });
    throw error;
  }
  return start();
}

/** Looks at the arguments, and does nothing yet. */
function prepared(
  call: string,
  given: number | Date,
  work: Work,
  options: TimeoutOptions | undefined,
): () => Promise<MovedOn<unknown>> {
  checkOptions(call, options, ['signal', 'clock', 'abandon']);
  const first = call === 'timeoutAt' ? 'date' : 'ms';
  const kind = kindFor(call, work, first);
  if (kind === OFF || kind & MATCH) throw wrongBranch(call, work, first);
  const { signal, clock = systemClock, abandon } = options ?? {};
  const ms =
    call === 'timeoutAt'
      ? Math.max(0, dateTime(call, given as Date) - clock.wall())
      : checkTime(`${call}: the time`, given as number);
  const outer = signal === undefined ? undefined : CancellationToken.from(signal, `${call}: signal`);
  const report = lateReport(call, ms, abandon);
  return kind === FUNCTION
    ? () => runLimited(ms, work as BranchFunction, clock, outer, report)
    : () => awaitLimited(ms, work as Exclude<Work, BranchFunction>, clock, outer);
}

/** A promise or a source, against a timer that only counts once it has fired: what is ready goes first. */
async function awaitLimited(
  ms: number,
  given: Exclude<Work, BranchFunction>,
  clock: Clock,
  signal: CancellationToken | undefined,
): Promise<MovedOn<unknown>> {
  // Settled, so that it is no branch of ours that `branchOf` names.
  const work = settle(given);
  const due = new CancellationToken();
  // Made here, where the caller is in the stack.
  const error = new TimeoutError(ms);
  const clear = setTimer(clock, ms, () => due.cancel(error));
  try {
    const outcome = await select.biased({ work, due }, { signal });
    if (outcome.branch === 'due') return { status: 'cancelled', reason: outcome.value as TimeoutError };
    return { status: 'fulfilled', value: unwrap(outcome.value) };
  } finally {
    clear();
    // As of a function: what has made the promise may compute, too.
    const turn = consumeSlice();
    if (turn !== undefined) await turn;
  }
}

function unwrap(settled: Settled<unknown>): unknown {
  if (settled.ok) return settled.value;
  throw settled.error;
}

async function runLimited(
  ms: number,
  work: BranchFunction,
  clock: Clock,
  outer: CancellationToken | undefined,
  report: Report | undefined,
): Promise<MovedOn<unknown>> {
  // The token's protocol and not its state: a disposed one shares the fate of its parent.
  const reason = outer === undefined ? PENDING : outer[source].poll();
  if (reason !== PENDING) throw reason;
  const token = (outer ?? new CancellationToken()).withTimeout(ms, { clock });
  // Somebody who waits for a deadline holds the process; it also cancels what never looks at its token.
  const holds = waiter(() => {});
  token[source].park(holds);
  try {
    return { status: 'fulfilled', value: await (report === undefined ? work(token) : abandoning(token, work, report)) };
  } catch (error) {
    if (!isCancellationOf(error, token)) throw error;
    // Of the two limits, the one that was over first.
    if (outer !== undefined && outer[source].poll() === token.reason) throw token.reason;
    return { status: 'cancelled', reason: token.reason as TimeoutError };
  } finally {
    token[source].unpark(holds);
    token.dispose();
    // A loop over work that only computes must not starve the event loop.
    const turn = consumeSlice();
    if (turn !== undefined) await turn;
  }
}

/** Runs a function until its token is cancelled; what it does later is reported, unless that is its cancellation. */
async function abandoning(token: CancellationToken, work: BranchFunction, report: Report): Promise<unknown> {
  const result = work(token);
  if (!isThenable(result)) return result;
  // Its one lasting reaction: the same promise may be given again and again.
  const running = watch(result);
  const outcome = await select.biased({ work: settle({ [source]: running }), stopped: token });
  if (outcome.branch === 'work') return unwrap(outcome.value);
  const { value: reason } = outcome;
  reportLater(running, reason, report);
  throw reason;
}

/** What becomes of the end of work that was abandoned. */
interface Report {
  readonly tell: (late: PromiseSettledResult<unknown>) => void;
  /** Whether one report of a promise is enough. */
  readonly isOnce: boolean;
}

/** What was abandoned, and is reported once. */
const abandoned: WeakSet<Watched> = new WeakSet();

function reportLater(running: Watched, reason: unknown, report: Report): void {
  if (report.isOnce) {
    if (abandoned.has(running)) return;
    abandoned.add(running);
  }
  const told = weakly(reason);
  const wake = (): void => {
    let late: PromiseSettledResult<unknown>;
    try {
      late = { status: 'fulfilled', value: running.poll() };
    } catch (error) {
      if (isCancellation(error) || (error !== undefined && error === told.deref())) return;
      late = { status: 'rejected', reason: error };
    }
    report.tell(late);
  };
  // It may have settled since it was abandoned.
  if (running.isSettled) queueMicrotask(wake);
  else running.park(waiter(wake));
}

/** Does not keep a reason, since it has a stack. One that is thrown later is kept by what throws it. */
function weakly(reason: unknown): { deref(): unknown } {
  return Object(reason) === reason ? new WeakRef(reason as object) : { deref: () => reason };
}

/** @throws TypeError when `abandon` is none of what it may be */
function lateReport(call: string, ms: number, abandon: TimeoutOptions['abandon']): Report | undefined {
  if (abandon === undefined || abandon === false) return undefined;
  if (typeof abandon === 'function') return { tell: abandon, isOnce: false };
  if (abandon !== true) {
    throw new TypeError(`${call}: abandon must be true, false or a function, got ${show(abandon)}`);
  }
  const tell = (late: PromiseSettledResult<unknown>): void => {
    if (late.status === 'fulfilled') return;
    const { console } = globalThis as unknown as { console: { warn(...parts: unknown[]): void } };
    console.warn(`${call}: work that was abandoned after ${ms} ms has failed:`, late.reason);
  };
  return { tell, isOnce: true };
}
