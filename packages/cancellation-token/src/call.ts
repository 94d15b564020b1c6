/**
 * A promise that is a source, too: what a method returns that can be awaited, and be a branch of `select`.
 *
 *           ready at the call, or a value comes
 *     call ──► (WAITING) ──► TAKEN ──put back──► DEFERRED ──a poll takes──► ANSWERED
 *                  │           └── too much has happened since ────────────────▲
 *                  └────────── leaves the line ──► DEFERRED
 *
 * It starts at the call, as every promise does, and plain `await` is as fast as that of the promise alone. Used as a branch it
 * is DEFERRED first: from then on it takes only when it is polled. Awaited after that, it waits again.
 *
 * Invariants
 *  1. One call takes at most one value, and remembers it: promise and source give the same. Only what it took before it was
 *     DEFERRED may go back, since nothing has won with it.
 *  2. While DEFERRED it stands in line only for those who are parked on it.
 *
 * Not guaranteed: that reactions which were attached before it was DEFERRED run, if it is then neither awaited nor a branch.
 * A native promise does not say whether it has any.
 */

import { ignore, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import { Wait } from './wait.ts';

/** A promise that is a source, too: await it, or make it a branch of `select`. As a branch it takes nothing until it wins. */
export type SourcePromise<T> = Promise<T> & Source<T>;

/** A source whose latest poll can be undone. */
export interface Takeable<T> extends SourceProtocol<T> {
  /**
   * Takes back what the latest poll has given, so that the next one gives it again.
   *
   * @param value what it gave; `undefined`, if it threw
   * @param error what it threw, if it did
   * @param mark the `mark` after that poll, or what `asSource` was given for it
   * @returns whether it did. `false`: too much has happened since
   */
  putBack?(value: T | undefined, error: unknown, mark: number): boolean;
  /** Read after a poll that gave something, for `putBack`. Default: 0. */
  readonly mark?: number;
}

/** The wait of a call. */
interface CallWait {
  /**
   * Leaves the line, and the promise as it is.
   *
   * @returns what settles it; `undefined`: the call has its answer already
   */
  giveUp(call: object): Settling | undefined;
}

/** What settles a promise. */
export interface Settling {
  /** Fulfils it. */
  resolve(value: unknown): void;
  /** Rejects it. */
  reject(error: unknown): void;
}

/** What a call has failed with. */
class Failure {
  readonly error: unknown;
  /** Set once somebody handles the rejection. */
  isHandled = false;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The state of one call, and what its promise is as a source. */
export class Call<T> implements SourceProtocol<T> {
  /** @internal See `printShortly`. */
  static readonly completed: object = /* @__PURE__ */ defineShortInspect(Call);
  // Plain fields, and few: one is made for each receive.
  /** The promise that the method has returned. */
  readonly promise: Promise<T>;
  /** The source from which the call takes. */
  readonly protocol: Takeable<T>;
  /**
   * Set once while it is not DEFERRED, by the wait or at birth, and once by the poll that takes. While WAITING it may be the mark
   * that the value will have, for a wait that does not note its end here.
   */
  answer: T | Failure | typeof PENDING;
  /** The wait while WAITING; the mark of what was taken while TAKEN; `undefined` once it is DEFERRED. */
  wait: CallWait | number | undefined;
  /** Made when it is DEFERRED. */
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

  /** Whether the promise has the answer, which comes from there. */
  get isFollowing(): boolean {
    return this.branch?.isFollowing === true;
  }

  /** The wait has ended: with a value. */
  settled(value: T, mark = 0): void {
    this.answer = value;
    // It was DEFERRED inside of the poll that took.
    if (this.branch === undefined) this.wait = mark;
    else this.#wake(this.branch);
  }

  /** The wait has ended: with an error. */
  failed(error: unknown, mark = 0): void {
    this.settled(new Failure(error) as never, mark);
  }

  defer(): void {
    const { wait: waiting, answer, promise } = this;
    // The failure goes to the branch, and to those who await the promise from now on.
    const isUnhandled = waiting !== undefined || (answer instanceof Failure && !answer.isHandled);
    if (answer instanceof Failure) answer.isHandled = true;
    // The platform's `then`: that of a promise which was DEFERRED before polls, and would come here again.
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
    // Its value has come, and was noted nowhere, which costs time at each receive. The promise has it.
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

  /** From now on it takes when it is polled, and when it is awaited. */
  #useDeferredThen(): void {
    // Not by own properties: one `then` of its own on any promise makes all promises of the process slower.
    Object.setPrototypeOf(this.promise, deferredPrototype());
  }

  /** Undoes what it took before it was DEFERRED, unless too much has happened since: then promise and branch have it. */
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

  /** The answer, for who awaits it after it was DEFERRED. */
  promised(): Promise<T> {
    const branch = this.branch as BranchState<T>;
    if (branch.promise === undefined) {
      const waiting = new Wait<T>(this);
      // Before it polls, which may ask for it.
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

  /** Whoever waits for the same call gets the same answer. */
  #wake(branch: BranchState<T>): void {
    this.protocol.unpark(branch);
    wakeAll(branch);
  }
}

/** What settles a promise that is settled. */
const NO_SETTLING: Settling = { resolve: ignore, reject: ignore };

/** What Node's console.log prints beside the promise: not all that hangs on it. */
function defineShortInspect(type: { readonly prototype: object }): object {
  return Object.defineProperty(type.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: () => 'Source' });
}

/** What few calls need: those who are parked on it, as one waiter of what it takes from. */
class BranchState<T> implements WaiterList, Waiter {
  head: WaiterItem | undefined = undefined;
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** Settles the promise that the call has returned. */
  readonly settling: Settling;
  /** For those who await it. */
  promise: Promise<T> | undefined = undefined;
  /** The answer comes from the promise of the call. */
  isFollowing = false;

  constructor(settling: Settling) {
    this.settling = settling;
  }

  wake(): void {
    wakeAll(this);
  }
}

/** What the promise of a call that was DEFERRED has instead of the platform's `then`; made when first needed. */
let deferred: object | undefined;

function deferredPrototype(): object {
  deferred ??= Object.create(Promise.prototype, {
    // Else `await` would not ask for `then`.
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
 * Makes a source of a promise that waits, or that has been fulfilled with `value`. `sourcePromise` is simpler; this one is for a
 * method that makes its own promise.
 *
 * **Timing.** Synchronous.
 *
 * @param promise the promise that the method returns
 * @param protocol the source from which the method takes
 * @param value the value that was taken; `PENDING` while the promise waits, or the mark that its value will have
 * @param waiting the wait; or, with a value, a mark by which `putBack` knows the value that was taken
 * @returns the state of the call, which learns of the end of the wait
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
 * Makes a source of a promise that has been rejected; otherwise as `asSource`.
 *
 * @param promise the promise that the method returns
 * @param protocol the source from which the method takes
 * @param error the error with which the promise was rejected
 * @param mark as of `asSource`
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
 * Waits for a source at once, and gives a promise that is a source, too.
 *
 * For methods such as `recv()`, which can be awaited and be a branch of `select`. Awaited, it is what `wait` is.
 *
 * **Timing.** As `wait`: what is ready is taken synchronously inside the call.
 *
 * **Cancel safety.** As a branch it takes nothing until it wins: it leaves the line in which it waits, and `putBack` undoes
 * what it has taken before, at the call or since. A branch that loses can be awaited afterwards, and waits again. Either await it or make it
 * a branch: reactions that were attached before may wait until it is used again.
 *
 * @param protocol what to take from. Without `putBack`, a value that was taken before stays with the promise
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
  waiting.wake();
  return waiting.promise as SourcePromise<T>;
}
