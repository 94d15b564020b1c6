/**
 * A promise that is also a source: the result of a method that can be awaited, and used as a branch of `select`.
 *
 *           ready at the call, or a value arrives
 *     call ──► (WAITING) ──► TAKEN ──put back──► DEFERRED ──a poll takes──► ANSWERED
 *                  │           └── too much has happened since ────────────────▲
 *                  └────────── leaves the queue ──► DEFERRED
 *
 * It starts at the call, as every promise does, and plain `await` is as fast as with the promise alone. Used as a branch it is
 * DEFERRED first: from then on it takes only when it is polled. When it is awaited after that, it waits again.
 *
 * Invariants
 *  1. One call takes at most one value, and keeps it: promise and source give the same value. Only a value that was taken
 *     before the call was DEFERRED may be put back, because no branch has won with it.
 *  2. While DEFERRED it is queued only for the waiters that are parked on it.
 *
 * Not guaranteed: that reactions attached before it was DEFERRED run, if it is afterwards neither awaited nor used as a branch.
 * A native promise does not tell whether it has reactions.
 */

import { ignore, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import { Wait } from './wait.ts';

/** A promise that is also a source: await it, or use it as a branch of `select`. As a branch it takes nothing until it wins. */
export type SourcePromise<T> = Promise<T> & Source<T>;

/** A source whose latest poll can be undone. */
export interface Takeable<T> extends SourceProtocol<T> {
  /**
   * Takes back the value of the latest poll, so that the next poll gives it again.
   *
   * @param value the value of that poll; `undefined` if it threw
   * @param error the error of that poll, if it threw
   * @param mark the `mark` after that poll, or the mark that `asSource` was given for it
   * @returns whether the value was taken back. `false`: too much has happened since
   */
  putBack?(value: T | undefined, error: unknown, mark: number): boolean;
  /** Identifies a value for `putBack`; read after the poll that gave it. Default: 0. */
  readonly mark?: number;
}

/** The wait of a call. */
interface CallWait {
  /**
   * Leaves the queue; the promise stays pending.
   *
   * @returns the functions that settle it; `undefined`: the call has its value already
   */
  giveUp(call: object): Settling | undefined;
}

/** Settles a promise. */
export interface Settling {
  /** Fulfils it. */
  resolve(value: unknown): void;
  /** Rejects it. */
  reject(error: unknown): void;
}

/** The error of a failed call. */
class Failure {
  readonly error: unknown;
  /** Set when the rejection is handled. */
  isHandled = false;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The state of one call: its promise as a source. */
export class Call<T> implements SourceProtocol<T> {
  /** @internal See `printShortly`. */
  static readonly completed: object = /* @__PURE__ */ defineShortInspect(Call);
  // Plain fields, and few: one object is created for each receive.
  /** The promise that the method has returned. */
  readonly promise: Promise<T>;
  /** The source from which the call takes. */
  readonly protocol: Takeable<T>;
  /**
   * Set once while it is not DEFERRED, by the wait or at creation, and once by the poll that takes. While WAITING it may be the
   * mark that the value will have, for a wait that does not report its end here.
   */
  answer: T | Failure | typeof PENDING;
  /** The wait while WAITING; the mark of the taken value while TAKEN; `undefined` once it is DEFERRED. */
  wait: CallWait | number | undefined;
  /** Created when it is DEFERRED. */
  branch: BranchState<T> | undefined = undefined;

  constructor(
    promise: Promise<T>,
    protocol: Takeable<T>,
    answer: T | Failure | typeof PENDING,
    waiting: CallWait | number | undefined,
  ) {
    this.promise = promise;
    this.protocol = protocol;
    this.answer = answer;
    this.wait = waiting;
  }

  get once(): true {
    return true;
  }

  /** Whether the promise has the value, which the branch then gets from there. */
  get isFollowing(): boolean {
    return this.branch?.isFollowing === true;
  }

  /** Called when the wait ends with a value. */
  settled(value: T, mark = 0): void {
    this.answer = value;
    // Otherwise it was DEFERRED inside the poll that took.
    if (this.branch === undefined) this.wait = mark;
    else this.#wake(this.branch);
  }

  /** Called when the wait ends with an error. */
  failed(error: unknown, mark = 0): void {
    this.settled(new Failure(error) as never, mark);
  }

  defer(): void {
    const { wait: waiting, answer, promise } = this;
    // The failure goes to the branch, and to code that awaits the promise from now on.
    const isUnhandled = waiting !== undefined || (answer instanceof Failure && !answer.isHandled);
    if (answer instanceof Failure) answer.isHandled = true;
    // The platform's `then`: that of a promise which was DEFERRED before polls, and would end up here again.
    if (isUnhandled) Promise.prototype.then.call(promise, undefined, ignore);
    if (waiting === undefined) return;
    this.wait = undefined;
    if (typeof waiting !== 'object') {
      this.#putBack(answer as T | Failure, waiting);
      return;
    }
    const settling = waiting.giveUp(this);
    const branch = new BranchState<T>(settling ?? NO_SETTLING);
    this.branch = branch;
    this.answer = PENDING;
    this.#useDeferredThen();
    if (settling !== undefined) return;
    // Its value has arrived, and only the promise has it: recording it here would cost time at each receive.
    branch.isFollowing = true;
    const goesBack = (taken: T | Failure): void => {
      branch.isFollowing = false;
      if (!this.#putBack(taken, typeof answer === 'number' ? answer : 0)) this.answer = taken;
      this.#wake(branch);
    };
    Promise.prototype.then.call(
      promise,
      (value) => goesBack(value),
      (error) => goesBack(new Failure(error)),
    );
  }

  /** From now on the call takes when it is polled, and when it is awaited. */
  #useDeferredThen(): void {
    // Not by own properties: one own `then` on any promise makes all promises of the process slower.
    Object.setPrototypeOf(this.promise, deferredPrototype());
  }

  /** Undoes what the call took before it was DEFERRED, unless too much has happened since: then promise and branch share it. */
  #putBack(taken: T | Failure, mark: number): boolean {
    const [value, error] = taken instanceof Failure ? [undefined, taken.error] : [taken, undefined];
    if (this.protocol.putBack?.(value, error, mark) !== true) return false;
    this.answer = PENDING;
    this.branch ??= new BranchState(NO_SETTLING);
    this.#useDeferredThen();
    return true;
  }

  poll(): T | typeof PENDING {
    this.defer();
    const { answer } = this;
    if (answer instanceof Failure) throw answer.error;
    return answer === PENDING ? this.#take() : answer;
  }

  park(waiter: Waiter): void {
    this.defer();
    const branch = this.branch;
    if (branch === undefined) return;
    parkOn(branch, waiter);
    if (this.isFollowing) return;
    this.protocol.park(branch);
    // Invariant 4 of a wait.
    if (branch.head === undefined) this.protocol.unpark(branch);
  }

  unpark(waiter: Waiter): void {
    const branch = this.branch;
    if (branch !== undefined && unparkFrom(branch, waiter) && branch.head === undefined) this.protocol.unpark(branch);
  }

  /** The value, for code that awaits the promise after it was DEFERRED. */
  promised(): Promise<T> {
    const branch = this.branch as BranchState<T>;
    if (branch.promise === undefined) {
      const waiting = new Wait<T>(this);
      // Before it polls, which may read it.
      branch.promise = waiting.promise;
      waiting.wake();
    }
    return branch.promise;
  }

  #take(): T | typeof PENDING {
    if (this.isFollowing) return PENDING;
    const branch = this.branch as BranchState<T>;
    let value: T | typeof PENDING;
    try {
      value = this.protocol.poll();
      if (value === PENDING) return PENDING;
      this.answer = value;
      branch.settling.resolve(value);
    } catch (error) {
      this.answer = new Failure(error);
      branch.settling.reject(error);
      this.#wake(branch);
      throw error;
    }
    this.#wake(branch);
    return value;
  }

  /** Wakes the waiters of this call; all get the same value. */
  #wake(branch: BranchState<T>): void {
    this.protocol.unpark(branch);
    wakeAll(branch);
  }
}

/** Settles a promise that is settled already. */
const NO_SETTLING: Settling = { resolve: ignore, reject: ignore };

/** Replaces the output of Node's `console.log` for the state of the call, which would print everything it refers to. */
function defineShortInspect(type: { readonly prototype: object }): object {
  return Object.defineProperty(type.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: () => 'Source' });
}

/** The state that few calls need: the waiters parked on the call. It is itself one waiter on the call's source. */
class BranchState<T> implements WaiterList, Waiter {
  head: WaiterItem | undefined = undefined;
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** Settles the promise that the call has returned. */
  readonly settling: Settling;
  /** The promise for code that awaits it. */
  promise: Promise<T> | undefined = undefined;
  /** Set while the value comes from the promise of the call. */
  isFollowing = false;

  constructor(settling: Settling) {
    this.settling = settling;
  }

  wake(): void {
    wakeAll(this);
  }
}

/** The prototype with a `then` of its own, for promises of DEFERRED calls; created when first needed. */
let deferred: object | undefined;

function deferredPrototype(): object {
  deferred ??= Object.create(Promise.prototype, {
    // Otherwise `await` would not look up `then`.
    constructor: { value: undefined },
    // biome-ignore lint/suspicious/noThenProperty: it is the prototype of promises
    then: {
      value(this: Source<unknown>, onFulfilled: () => unknown, onRejected: () => unknown): Promise<unknown> {
        return (this[source] as Call<unknown>).promised().then(onFulfilled, onRejected);
      },
    },
  }) as object;
  return deferred;
}

/**
 * Makes a promise a source, where the promise is pending or was fulfilled with `value`. Use it in a method that creates its own
 * promise; otherwise `sourcePromise` is simpler.
 *
 * **Timing.** Synchronous.
 *
 * @param promise the promise that the method returns
 * @param protocol the source from which the method takes
 * @param value the value that was taken; `PENDING` while the promise is pending, or the mark that its value will have
 * @param waiting the wait; or, with a value, a mark by which `putBack` identifies the value that was taken
 * @returns the state of the call, to which the end of the wait is reported
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const promise = Promise.resolve('taken before');
 * asSource(promise, token[source], 'taken before');
 * console.log(await select({ call: promise })); // => { branch: 'call', value: 'taken before' }
 * ```
 */
export function asSource<T>(
  promise: Promise<T>,
  protocol: Takeable<T>,
  value: T | typeof PENDING,
  waiting: CallWait | number = 0,
): Call<T> {
  const call = new Call(promise, protocol, value, waiting);
  (promise as { [source]?: Call<T> })[source] = call;
  return call;
}

/**
 * Makes a rejected promise a source; otherwise as `asSource`.
 *
 * @param promise the promise that the method returns
 * @param protocol the source from which the method takes
 * @param error the error with which the promise was rejected
 * @param mark a mark by which `putBack` identifies the error
 * @returns the promise
 * @example
 * ```ts
 * const error = new Error('closed');
 * const call = asFailingSource(Promise.reject(error), new CancellationToken()[source], error);
 * await select({ call }).catch(({ message }) => console.log(message)); // => closed
 * ```
 */
export function asFailingSource<T>(
  promise: Promise<T>,
  protocol: Takeable<T>,
  error: unknown,
  mark = 0,
): SourcePromise<T> {
  asSource<T>(promise, protocol, PENDING, mark).answer = new Failure(error);
  return promise as SourcePromise<T>;
}

/**
 * Starts waiting for a source, and returns a promise that is also a source.
 *
 * Use it for methods such as `recv()`, which can be awaited and used as a branch of `select`. Awaited, it behaves as `wait`.
 *
 * **Timing.** As `wait`: a ready value is taken synchronously inside the call.
 *
 * **Cancel safety.** As a branch it takes nothing until it wins: it leaves the queue, and `putBack` undoes a take that happened
 * before. A losing branch can be awaited afterwards, and waits again. Either await it or use it as a branch: reactions attached
 * before may wait until it is used again.
 *
 * @param protocol the source to take from. Without `putBack`, a value that was taken before stays with the promise
 * @returns the promise
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const reason = sourcePromise(token[source]);
 * const outcome = await select({ reason, tick: sleep(1) });
 * token.cancel('late');
 * console.log(outcome.branch, await reason); // => tick late
 * ```
 */
export function sourcePromise<T>(protocol: Takeable<T>): SourcePromise<T> {
  const waiting = new Wait(protocol);
  waiting.call = asSource(waiting.promise, protocol, PENDING, waiting);
  return waiting.start() as SourcePromise<T>;
}
