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
import {
  checkOptions,
  checkTime,
  dateTime,
  isThenable,
  type PromiseSource,
  setTimer,
  show,
  watchPromise,
} from '@quiesce/internal';
import { type BranchFunction, type BranchValue, releaseBranches } from './branches.ts';
import { FUNCTION, kindFor, MATCH, OFF, wrongBranch } from './kinds.ts';
import { select } from './select.ts';
import { type Settled, settle } from './settle.ts';

/** Options for `timeout`, `timeoutAt` and `moveOnAfter`. */
export interface TimeoutOptions {
  /** Gives the wait up, and cancels the function. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Source of time. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
  /**
   * For work that cannot be stopped, such as a query of a client that takes no signal. When the work is cancelled, the call
   * settles without awaiting it. The given function then receives the late result: a value, or an error other than the
   * cancellation. `true` drops a late value, and prints a late error with `console.warn`, once for each promise.
   */
  readonly abandon?: boolean | ((late: PromiseSettledResult<unknown>) => void) | undefined;
}

/** The result of `moveOnAfter`. */
export type MovedOn<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'cancelled'; readonly reason: TimeoutError };

/** Work that a timeout can limit. */
type Work = Source<unknown> | AbortSignal | PromiseLike<unknown> | BranchFunction;

/**
 * Waits for work, with a time limit.
 *
 * A function receives a token that has the deadline. At the deadline the token is cancelled, **and the function is awaited**.
 * A value that it still returns is the result. So a function that ignores its token delays the timeout. With `abandon` the
 * timeout ends at the deadline, and the function keeps running. A promise or a source stays untouched.
 *
 * Use it when a timeout is an error. If it is an ordinary result, use `moveOnAfter`.
 *
 * **Timing.** Work that is ready at the deadline wins, even with a time of 0. The timer keeps the process alive.
 *
 * **Cancel safety.** A source that was not ready in time gives no value. As a branch of a `select`, write
 * `(token) => timeout(ms, work, { signal: token })`.
 *
 * @param ms milliseconds from 0 to `Infinity` (no limit)
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options `signal`: gives up earlier; `clock`: the source of time; `abandon`: does not await the function
 * @returns the value of the work
 * @throws TimeoutError after the time limit; the error of the work; the reason of `signal`, which also keeps a function
 *   from starting; TypeError when an argument or option has the wrong type; RangeError when `ms` is negative or NaN
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
  return valueOrThrow(withTimeLimit('timeout', ms, work, options)) as Promise<BranchValue<W>>;
}

/**
 * Waits for work as `timeout` does, and returns a status where `timeout` throws its TimeoutError.
 *
 * Use it when a timeout is an ordinary result. Every other failure is thrown.
 *
 * **Timing.** As `timeout`.
 *
 * **Cancel safety.** As `timeout`.
 *
 * @param ms milliseconds from 0 to `Infinity` (no limit)
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options as for `timeout`
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
  return withTimeLimit('moveOnAfter', ms, work, options) as Promise<MovedOn<BranchValue<W>>>;
}

/**
 * Waits for work until a date, as `timeout` does. A date in the past is a time limit of 0 ms.
 *
 * **Timing.** As `timeout`. Later changes of the wall clock have no effect.
 *
 * **Cancel safety.** As `timeout`.
 *
 * @param date the deadline
 * @param work a function `(token) => promise`, a promise, a source or a signal
 * @param options as for `timeout`
 * @returns the value of the work
 * @throws as `timeout`; TypeError when `date` is not a `Date`; RangeError when it is invalid
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
  return valueOrThrow(withTimeLimit('timeoutAt', date, work, options)) as Promise<BranchValue<W>>;
}

async function valueOrThrow(ended: Promise<MovedOn<unknown>>): Promise<unknown> {
  const outcome = await ended;
  if (outcome.status === 'cancelled') throw outcome.reason;
  return outcome.value;
}

async function withTimeLimit(
  call: string,
  given: number | Date,
  work: Work,
  options: TimeoutOptions | undefined,
): Promise<MovedOn<unknown>> {
  let start: () => Promise<MovedOn<unknown>>;
  try {
    start = prepare(call, given, work, options);
  } catch (error) {
    // Both, since they may be swapped.
    releaseBranches({ given, work });
    throw error;
  }
  return start();
}

/** Checks the arguments, and returns the function that starts. */
function prepare(
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
  const report = createReport(call, ms, abandon);
  return kind === FUNCTION
    ? () => runFunction(ms, work as BranchFunction, clock, outer, report)
    : () => awaitWork(ms, work as Exclude<Work, BranchFunction>, clock, outer);
}

/** Waits for a promise or a source until a timer fires. Work that is ready by then wins. */
async function awaitWork(
  ms: number,
  given: Exclude<Work, BranchFunction>,
  clock: Clock,
  signal: CancellationToken | undefined,
): Promise<MovedOn<unknown>> {
  // With `settle`, so that `branchOf` does not name this internal branch.
  const work = settle(given);
  const expired = new CancellationToken();
  // Created here, where the caller is on the stack.
  const error = new TimeoutError(ms);
  const clear = setTimer(clock, ms, () => expired.cancel(error));
  try {
    const outcome = await select.biased({ work, expired }, { signal });
    if (outcome.branch === 'expired') return { status: 'cancelled', reason: outcome.value as TimeoutError };
    return { status: 'fulfilled', value: unwrap(outcome.value) };
  } finally {
    clear();
    // As for a function: the code that settles the promise may compute, too.
    const pause = consumeSlice();
    if (pause !== undefined) await pause;
  }
}

function unwrap(settled: Settled<unknown>): unknown {
  if (settled.status === 'fulfilled') return settled.value;
  throw settled.reason;
}

async function runFunction(
  ms: number,
  work: BranchFunction,
  clock: Clock,
  outer: CancellationToken | undefined,
  report: Report | undefined,
): Promise<MovedOn<unknown>> {
  // The token's protocol and not its state: a disposed token follows its parent.
  const reason = outer === undefined ? PENDING : outer[source].poll();
  if (reason !== PENDING) throw reason;
  const token = (outer ?? new CancellationToken()).withTimeout(ms, { clock });
  // A waiter keeps the process alive until the deadline. It also makes the deadline cancel a token that nothing reads.
  const keepAlive = waiter(() => {});
  token[source].park(keepAlive);
  try {
    return {
      status: 'fulfilled',
      value: await (report === undefined ? work(token) : runAbandonable(token, work, report)),
    };
  } catch (error) {
    if (!isCancellationOf(error, token)) throw error;
    // If the parent was cancelled first, its reason counts.
    if (outer !== undefined && outer[source].poll() === token.reason) throw token.reason;
    return { status: 'cancelled', reason: token.reason as TimeoutError };
  } finally {
    token[source].unpark(keepAlive);
    token.dispose();
    // A loop over work that only computes must not starve the event loop.
    const pause = consumeSlice();
    if (pause !== undefined) await pause;
  }
}

/** Runs a function until its token is cancelled. Reports a later result, unless it is the cancellation. */
async function runAbandonable(token: CancellationToken, work: BranchFunction, report: Report): Promise<unknown> {
  const result = work(token);
  if (!isThenable(result)) return result;
  // Gives the promise one lasting reaction: the same promise may be passed many times.
  const running = watchPromise(result);
  const outcome = await select.biased({ work: settle({ [source]: running }), stopped: token });
  if (outcome.branch === 'work') return unwrap(outcome.value);
  const { value: reason } = outcome;
  reportLater(running, reason, report);
  throw reason;
}

/** How the result of abandoned work is reported. */
interface Report {
  readonly notify: (late: PromiseSettledResult<unknown>) => void;
  /** Whether a promise is reported only once. */
  readonly isOnce: boolean;
}

/** Abandoned promises that are reported once. */
const abandoned: WeakSet<PromiseSource> = new WeakSet();

function reportLater(running: PromiseSource, reason: unknown, report: Report): void {
  if (report.isOnce) {
    if (abandoned.has(running)) return;
    abandoned.add(running);
  }
  const reasonRef = weakRefTo(reason);
  const wake = (): void => {
    let late: PromiseSettledResult<unknown>;
    try {
      late = { status: 'fulfilled', value: running.poll() };
    } catch (error) {
      if (isCancellation(error) || (error !== undefined && error === reasonRef.deref())) return;
      late = { status: 'rejected', reason: error };
    }
    report.notify(late);
  };
  // It may have settled since it was abandoned.
  if (running.isSettled) queueMicrotask(wake);
  else running.park(waiter(wake));
}

/** Refers to a reason weakly, since its stack takes memory. Work that throws the reason later retains it itself. */
function weakRefTo(reason: unknown): { deref(): unknown } {
  return Object(reason) === reason ? new WeakRef(reason as object) : { deref: () => reason };
}

/** @throws TypeError for a wrong `abandon` */
function createReport(call: string, ms: number, abandon: TimeoutOptions['abandon']): Report | undefined {
  if (abandon === undefined || abandon === false) return undefined;
  if (typeof abandon === 'function') return { notify: abandon, isOnce: false };
  if (abandon !== true) {
    throw new TypeError(`${call}: abandon must be true, false or a function, got ${show(abandon)}`);
  }
  const notify = (late: PromiseSettledResult<unknown>): void => {
    if (late.status === 'fulfilled') return;
    const { console } = globalThis as unknown as { console: { warn(...parts: unknown[]): void } };
    console.warn(`${call}: work that was abandoned after ${ms} ms has failed:`, late.reason);
  };
  return { notify, isOnce: true };
}
