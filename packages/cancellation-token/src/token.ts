import {
  checkFunction,
  checkOptions,
  checkTime,
  dateTime,
  defineDispose,
  defineInspect,
  isParkedOn,
  misused,
  refuseExtra,
  releaseArgument,
  show,
} from '@quiesce/internal';
import { liftListenerLimit } from './abort-event.ts';
import { cancelSubtree } from './cancel.ts';
import { Cancelled } from './cancelled.ts';
import { type Clock, systemClock } from './clock.ts';
import { deadlineOf, setDeadline } from './deadline.ts';
import { dispose } from './dispose.ts';
import { DropGuard } from './drop-guard.ts';
import { CancelledError, ofToken } from './errors.ts';
import { describeRefused, followerOf, isAbortSignal, tokenOfSignal } from './follower.ts';
import { Group } from './group.ts';
import { observe, Registration, unobserve } from './links.ts';
import {
  attachTrigger,
  BELOW_TRIGGER,
  brand,
  CANCELLED,
  COUNTS_WAITERS,
  DISPOSED,
  detailsOf,
  HAS_TRIGGER,
  type Item,
  liveAncestor,
  NODE,
  needDetails,
  Reason,
  type TreeNode,
} from './node.ts';
import { runUntilCancelled } from './run-until-cancelled.ts';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import { type DeadlineOptions, LIMITS, NAME, refuseParent, type TokenOptions } from './token-options.ts';
import { adopt, isCancelled, isMarkedCancelled, reasonOf } from './tree.ts';
import { guarded } from './uncaught.ts';
import type { UntilCancelled } from './until-cancelled-source.ts';

/** The last moment that a `Date` can say, in ms since 1970. */
const LAST_DATE = 8.64e15;

/**
 * Says to any amount of work, in one word and for good, that it should stop, and why.
 *
 * Tokens form a tree: cancelling one cancels everything below it, never what is above. A token is one plain object until
 * somebody observes it, and then costs one place in a list; both may be forgotten without further ado, except a child
 * whose `signal` was read, which stays linked until it is cancelled or disposed (`using`).
 *
 * **Timing.** Everything is synchronous. `cancel` first marks the whole subtree and then notifies: depth first, on one
 * token callbacks, waiters and the signal's event in registration order, then what is below it.
 *
 * **Cancel safety.** Waiting for a token takes nothing from it. As a `select` branch its value is the reason.
 *
 * @see tokio_util::sync::CancellationToken (tokio-util 0.7.19)
 * @example
 * ```ts
 * const root = new CancellationToken();
 * const child = root.childToken();
 * child.onCancelled((reason) => console.log('stopping:', reason));
 * root.cancel('deploy'); // => stopping: deploy
 * console.log(child.isCancelled, child.reason); // => true deploy
 * ```
 */
export class CancellationToken implements Disposable {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ complete(CancellationToken);
  /** @internal */
  parentOrReason: TreeNode | Reason | undefined;
  /** @internal */
  flags: number;
  /** @internal */
  next: Item | undefined;
  /** @internal */
  prev: Item | undefined;
  /** @internal */
  head: Item | undefined;
  /** Only tokens themselves have it: a proxy or a copy of one would break the lists of others. */
  readonly #isToken: true;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /**
   * Makes a root: nothing but its own `cancel` cancels it.
   *
   * @param options `name`: how error texts and the debugger call it
   * @see tokio_util::sync::CancellationToken::new
   */
  constructor(options?: TokenOptions) {
    // Always the same fields in the same order: engines give all tokens one shape.
    this.parentOrReason = undefined;
    this.flags = 0;
    this.next = undefined;
    this.prev = undefined;
    this.head = undefined;
    this.#isToken = true;
    if (options === undefined) return;
    refuseParent(options);
    checkOptions('new CancellationToken', options, NAME);
    if (options?.name !== undefined) needDetails(this).name = options.name;
  }

  /** @internal Whether `value` is a token of this copy of the package, and neither a proxy nor a copy of one. */
  static owns(value: unknown): value is CancellationToken {
    // To read it and to catch what that throws is ten times as fast as `#isToken in value`.
    try {
      return (value as CancellationToken).#isToken;
    } catch {
      return false;
    }
  }

  /**
   * A token that follows a foreign `AbortSignal`: cancelled when it aborts, with its reason, verbatim.
   *
   * All tokens that follow one signal share one listener on it, which is there only while one of them is observed.
   * Cancelling the token that is returned leaves the signal and the other followers alone.
   *
   * A signal is the read-only half of its controller or token: cancelling or disposing what is returned never reaches the
   * owner of the signal.
   *
   * @param signal the signal to follow; a token is returned as it is. The `signal` of a token gives a child of that token
   * @param what how an error calls the value: the call and the option that your user wrote, such as `save: signal`
   * @returns the token; already cancelled if the signal has already aborted
   * @throws TypeError when `signal` is neither a signal nor a token
   * @example
   * ```ts
   * const controller = new AbortController();
   * const token = CancellationToken.from(controller.signal);
   * controller.abort('bye');
   * console.log(token.reason); // => bye
   * ```
   */
  static from(signal: AbortSignal | CancellationToken, what?: string): CancellationToken {
    if (CancellationToken.owns(signal)) return signal;
    const foreign = signal as { readonly [brand]?: true; readonly signal?: AbortSignal } | null | undefined;
    const native = foreign?.[brand] === true ? foreign.signal : signal;
    if (!isAbortSignal(native)) {
      // Not a default: `map(CancellationToken.from)` passes an index.
      const where = typeof what === 'string' ? what : 'CancellationToken.from';
      releaseArgument(signal);
      throw new TypeError(`${where}: expected an AbortSignal or a CancellationToken, got ${describeRefused(signal)}`);
    }
    const owner = tokenOfSignal.get(native) as CancellationToken | undefined;
    return (owner ?? followerOf(native, () => new CancellationToken())).childToken();
  }

  /**
   * A token that is cancelled with the first of several tokens or signals, with its reason.
   *
   * **Timing.** Synchronous, and known as soon as it is asked. It is registered on the others only while it is observed,
   * and is collected like any other object otherwise.
   *
   * @param sources tokens and signals; none: never cancelled by them
   * @throws TypeError when one of them is neither
   * @see the platform's `AbortSignal.any`
   * @example
   * ```ts
   * const [user, server] = [new CancellationToken(), new AbortController()];
   * const either = CancellationToken.any([user, server.signal]);
   * server.abort('overload');
   * console.log(either.reason); // => overload
   * ```
   */
  static any(sources: Iterable<CancellationToken | AbortSignal>): CancellationToken;
  static any(sources: Iterable<CancellationToken | AbortSignal>, extra?: unknown): CancellationToken {
    return group(sources, extra, false);
  }

  /**
   * A token that is cancelled with the last of several tokens or signals, with its reason: when nobody wants the work
   * any more. Of none it is cancelled at once, as `Promise.all([])` is fulfilled.
   *
   * **Timing.** As `any`.
   *
   * @throws TypeError when one of them is neither a token nor a signal
   * @example
   * ```ts
   * const [first, second] = [new CancellationToken(), new CancellationToken()];
   * const nobody = CancellationToken.all([first, second]);
   * first.cancel('left');
   * console.log(nobody.isCancelled); // => false
   * second.cancel('left too');
   * console.log(nobody.reason); // => left too
   * ```
   */
  static all(sources: Iterable<CancellationToken | AbortSignal>): CancellationToken;
  static all(sources: Iterable<CancellationToken | AbortSignal>, extra?: unknown): CancellationToken {
    return group(sources, extra, true);
  }

  /**
   * A root with a deadline; see `withTimeout`.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline)
   * @throws RangeError when `ms` is negative or not a number
   * @see the platform's `AbortSignal.timeout`
   */
  static timeout(ms: number, options?: DeadlineOptions): CancellationToken {
    checkOptions('CancellationToken.timeout', options, LIMITS);
    checkTime('CancellationToken.timeout: the time', ms);
    return new CancellationToken().withTimeout(ms, options);
  }

  /** A token that is never cancelled, always the same: for whoever has none to pass on. Its `cancel` is a TypeError. */
  static get never(): CancellationToken {
    if (never === undefined) {
      never = new CancellationToken({ name: 'never' });
      never.dispose();
    }
    return never;
  }

  /** A new token that is cancelled already, with this reason or a {@link CancelledError}. */
  static alreadyCancelled(reason?: unknown): CancellationToken {
    const token = new CancellationToken();
    token.cancel(reason);
    return token;
  }

  /** The name given at birth; `undefined`: none. */
  get name(): string | undefined {
    own(this, 'name');
    return detailsOf(this)?.name;
  }

  /**
   * Whether the token is cancelled; once true for ever true. Synchronous; O(1) when observed, or asked since the last
   * cancellation anywhere. What has to be asked each time costs as much as there is of it: below a followed signal the
   * distance to it; of `any` and `all` those sources that depend on signals or deadlines.
   */
  get isCancelled(): boolean {
    own(this, 'isCancelled');
    return isCancelled(this);
  }

  /**
   * Why the token was cancelled: what was passed to `cancel`, verbatim, or a {@link CancelledError}, the same for the whole
   * subtree. Of several deadlines each token names the one that was over first for it. Its stack shows where `cancel` was called; that of a `TimeoutError`, where the deadline was set. Their texts
   * name the token that was cancelled. `undefined` until then.
   */
  get reason(): unknown {
    own(this, 'reason');
    return isCancelled(this) ? reasonOf(this) : undefined;
  }

  /**
   * The token as a native `AbortSignal`, for everything that takes one; always the same object.
   *
   * **Timing.** Made at the first reading; its event has its place among the token's callbacks from then on, and its
   * `reason` is the token's. It has no listener limit.
   *
   * Reading it observes the token for good, since nobody can see native listeners come and go: dispose a child
   * (`using`) when the work is done, or its parent keeps it until it is cancelled.
   *
   * @example
   * ```ts
   * const token = new CancellationToken();
   * {
   *   using child = token.childToken();
   *   child.signal.addEventListener('abort', () => console.log('aborted:', child.signal.reason));
   *   token.cancel('deploy'); // => aborted: deploy
   * }
   * ```
   */
  get signal(): AbortSignal {
    own(this, 'signal');
    const details = needDetails(this);
    if (details.signal !== undefined) return details.signal;
    const controller = new AbortController();
    const signal = controller.signal;
    details.signal = signal;
    tokenOfSignal.set(signal, this);
    liftListenerLimit(signal);
    if (isCancelled(this)) {
      controller.abort(reasonOf(this));
    } else if (!(this.flags & DISPOSED)) {
      observe(this, new Registration({ onCancel: (reason) => controller.abort(reason.value) }));
    }
    return signal;
  }

  /**
   * A new token below this one: cancelled with it, and never cancelling it.
   *
   * **Timing.** Synchronous; costs one object. Below a cancelled token it is born cancelled; below a disposed one it is
   * a child of the nearest ancestor that is not.
   *
   * @param options `name`: how error texts and the debugger call it
   * @see tokio_util::sync::CancellationToken::child_token
   */
  childToken(options?: TokenOptions): CancellationToken {
    own(this, 'childToken');
    checkOptions('childToken', options, NAME);
    const child = new CancellationToken(options);
    adopt(child, liveAncestor(this));
    return child;
  }

  /**
   * A child that is cancelled, with a {@link TimeoutError}, when the time is over, if not before.
   *
   * **Timing.** The deadline is fixed at the call. Whoever asks past it finds the token cancelled, also in a loop that
   * lets no timer through. A timer is set only while the token is observed, and holds the process only while somebody
   * waits for the token or for one below it; callbacks and a `signal` alone do not hold it.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline); above 2^31-1 too it waits as long as it says
   * @param options `name`; `clock`: where time comes from
   * @throws RangeError when `ms` is negative or not a number
   * @see Go's context.WithTimeout
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const token = new CancellationToken().withTimeout(5_000, { clock });
   * await clock.advance(5_000);
   * console.log(String(token.reason)); // => TimeoutError: Timed out after 5000 ms
   * ```
   */
  withTimeout(ms: number, options?: DeadlineOptions): CancellationToken {
    own(this, 'withTimeout');
    checkOptions('withTimeout', options, LIMITS);
    checkTime('withTimeout: the time', ms);
    const clock = options?.clock ?? deadlineOf(this)?.clock ?? systemClock;
    return childWithDeadline(this, ms, clock.wall() + ms, clock, options);
  }

  /**
   * A child that is cancelled at a time of day; otherwise as `withTimeout`. A time that has passed cancels it at once.
   *
   * @throws RangeError when `date` is not a valid date
   * @see Go's context.WithDeadline
   */
  withDeadline(date: Date, options?: DeadlineOptions): CancellationToken {
    own(this, 'withDeadline');
    checkOptions('withDeadline', options, LIMITS);
    const clock = options?.clock ?? deadlineOf(this)?.clock ?? systemClock;
    const wall = dateTime('withDeadline', date);
    const ms = wall - clock.wall();
    return childWithDeadline(this, Math.max(0, ms), wall, clock, options);
  }

  /** The earliest deadline, its own or inherited; `undefined`: none. One that no `Date` can say is the last that it can. */
  get deadline(): Date | undefined {
    own(this, 'deadline');
    const deadline = deadlineOf(this);
    return deadline === undefined ? undefined : new Date(Math.min(deadline.wall, LAST_DATE));
  }

  /**
   * A root of the same name that neither the cancellation of this token nor its deadline reaches: for work that must be
   * done to its end.
   *
   * @see Go's context.WithoutCancel
   */
  detached(): CancellationToken {
    own(this, 'detached');
    return new CancellationToken({ name: this.name });
  }

  /**
   * Cancels the token and everything below it.
   *
   * **Timing.** Synchronous: the subtree is marked before the first callback runs, and when the outermost `cancel`
   * returns, all have run. One that is called inside a callback marks at once; its callbacks run after those that are
   * already due. A callback that throws stops nobody; its error goes to the uncaught handler afterwards.
   *
   * @param reason passed on verbatim to all that ask; `undefined` stands for a {@link CancelledError}
   * @returns whether this call changed the state: `false` when already cancelled, or disposed
   * @throws TypeError on `CancellationToken.never`
   * @see tokio_util::sync::CancellationToken::cancel
   */
  cancel(reason?: unknown): boolean {
    own(this, 'cancel');
    refuseNever(this);
    if (isCancelled(this) || this.flags & DISPOSED) return false;
    // Made here and not for its first reader: its stack shows who has cancelled.
    const value =
      reason === undefined ? new CancelledError(`This operation was cancelled${ofToken(this.name)}`) : reason;
    cancelSubtree(this, new Reason(value, 'explicit'));
    return true;
  }

  /**
   * Throws the reason, verbatim, if the token is cancelled.
   *
   * @throws the reason: whatever was passed to `cancel`, else a {@link CancelledError}
   */
  throwIfCancelled(): void {
    own(this, 'throwIfCancelled');
    if (isCancelled(this)) throw reasonOf(this);
  }

  /**
   * Calls `fn` once when the token is cancelled.
   *
   * **Timing.** Synchronously inside `cancel`, in registration order; at once, before this returns, when the token is
   * already cancelled; never on a disposed token. What `fn` throws goes to the uncaught handler, not to the canceller.
   *
   * @param fn receives the reason
   * @returns a registration; `unregister()` takes the callback back
   * @throws TypeError when `fn` is not a function
   * @example
   * ```ts
   * const token = new CancellationToken();
   * {
   *   using _ = token.onCancelled(() => console.log('only inside of this block'));
   * }
   * token.cancel();
   * ```
   */
  onCancelled(fn: (reason: unknown) => void): Registration {
    own(this, 'onCancelled');
    checkFunction('onCancelled', fn);
    const registration = new Registration(fn);
    // Asking may run callbacks, which may dispose this token.
    const isLate = isCancelled(this);
    if (!isLate && !(this.flags & DISPOSED)) {
      observe(this, registration);
      return registration;
    }
    registration.unregister();
    // Too late to be notified; what it throws goes where the others' errors go.
    if (isLate) guarded(() => fn(reasonOf(this)));
    return registration;
  }

  /**
   * Waits for the cancellation: `await token.cancelled()` gives `undefined`, a `select` branch gives the reason.
   *
   * **Timing.** An `await` goes on in a microtask after the cancellation.
   *
   * **Cancel safety.** In `select` it leaves nothing behind. `Promise.race([token.cancelled(), …])` leaves a waiter at
   * every call, as with any promise that lives long, and cannot do otherwise: use `select`.
   *
   * @returns always the same object for one token
   * @see tokio_util::sync::CancellationToken::cancelled
   */
  cancelled(): Cancelled {
    own(this, 'cancelled');
    const details = needDetails(this);
    details.awaitable ??= new Cancelled(this[source]);
    return details.awaitable as Cancelled;
  }

  /**
   * Works until the token is cancelled, and says which it was.
   *
   * **Timing.** Not started when the token is cancelled already. On cancellation it decides one microtask later, so work
   * that had settled, or is settled in the same synchronous run as `cancel`, wins. A function gets a token of its own
   * below this one, and is awaited: what it returns all the same wins, and its cancellation error does not.
   *
   * **Cancel safety.** As much as the work. A promise is left alone when it loses, and its rejection is handled. A call that is a
   * source, such as `rx.recv()` or `lock.acquire()`, has then taken nothing.
   *
   * @param work a promise, or a function `(token) => promise`
   * @returns `{ cancelled: false, value }` or `{ cancelled: true, reason }`
   * @throws what the work fails with, unless that only says that it obeyed the token
   * @see tokio_util::sync::CancellationToken::run_until_cancelled
   * @example
   * ```ts
   * const token = new CancellationToken();
   * const running = token.runUntilCancelled(new Promise(() => {}));
   * token.cancel('enough');
   * console.log(await running); // => { cancelled: true, reason: 'enough' }
   * ```
   */
  runUntilCancelled<T>(
    work: PromiseLike<T> | ((token: CancellationToken) => T | PromiseLike<T>),
  ): Promise<UntilCancelled<Awaited<T>>> {
    if (!CancellationToken.owns(this)) {
      releaseArgument(work);
      return Promise.reject(misusedToken(this, 'runUntilCancelled'));
    }
    return runUntilCancelled(this, work) as Promise<UntilCancelled<Awaited<T>>>;
  }

  /**
   * A guard that cancels the token at the end of its block, however the block ends.
   *
   * @returns the guard; `disarm()` makes it harmless and gives the token back
   * @throws TypeError on `CancellationToken.never`
   * @see tokio_util::sync::CancellationToken::drop_guard
   * @example
   * ```ts
   * const token = new CancellationToken();
   * {
   *   using guard = token.dropGuard();
   *   console.log(guard.token.isCancelled); // => false
   * }
   * console.log(token.isCancelled); // => true
   * ```
   */
  dropGuard(): DropGuard<CancellationToken> {
    own(this, 'dropGuard');
    refuseNever(this);
    return new DropGuard(this);
  }

  /**
   * Takes the token out of the tree without cancelling anything; the end of its use, also as `using`.
   *
   * An active token is frozen: not cancelled for ever, its callbacks removed, its signal never fires, `cancel` returns
   * `false`, registering is a no-op. Its children, and who waits for it, go to its parent and share its fate, or become
   * free-standing. On a cancelled token only callbacks that have not run yet are removed. Synchronous, idempotent.
   *
   * @see dropping the last handle of a tokio_util::sync::CancellationToken
   */
  dispose(): void {
    own(this, 'dispose');
    dispose(this);
  }

  /** @internal */
  get once(): true {
    return true;
  }

  /** @internal The token above; `undefined` for a root, and for a cancelled token, which has left the tree. */
  get parent(): CancellationToken | undefined {
    return this.flags & CANCELLED ? undefined : (this.parentOrReason as CancellationToken | undefined);
  }

  /** @internal Asks whoever answers for this token: itself, or the ancestor to which a disposed one's waiters went. */
  poll(): unknown {
    const node = liveAncestor(this);
    return node !== undefined && isCancelled(node) ? reasonOf(node) : PENDING;
  }

  /** @internal A waiter that parks on a cancelled token is not woken: poll first. */
  park(waiter: Waiter): void {
    const node = liveAncestor(this);
    // Without asking: a deadline that has passed since the poll must wake it, not drop it.
    if (!isParkedOn(node, waiter) && node !== undefined && !isMarkedCancelled(node)) observe(node, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    if (waiter.owner !== undefined && waiter.owner === liveAncestor(this)) unobserve(waiter);
  }

  /** @internal Whether nothing runs when it is parked on: no group and no deadline is above it. */
  get isQuiet(): boolean {
    own(this, 'isQuiet');
    return (this.flags & (HAS_TRIGGER | BELOW_TRIGGER | COUNTS_WAITERS)) === 0;
  }

  /** `CancellationToken(name, state)`, and not the tree that hangs on the token. */
  toString(): string {
    own(this, 'toString');
    return `CancellationToken(${this.name === undefined ? '' : `${JSON.stringify(this.name)}, `}${stateOf(this)})`;
  }
}

/** The source protocol of a token: ready once cancelled; its value is the reason. */
// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface CancellationToken extends Source<unknown> {}

/** Gives the tokens what `isolatedDeclarations` does not allow inside of a class. */
function complete(type: typeof CancellationToken): object {
  const { prototype } = type;
  defineDispose(type, 'dispose');
  defineInspect(type, (token) => ({
    name: token.name,
    state: stateOf(token),
    reason: token.reason,
    deadline: token.deadline,
  }));
  return Object.defineProperties(prototype, {
    [brand]: { value: true },
    [NODE]: { value: true },
    // The token is its own protocol object, so that waiting for it allocates nothing.
    [source]: {
      get(this: CancellationToken): SourceProtocol<unknown> {
        own(this, 'select');
        return this;
      },
    },
  });
}

function stateOf(token: CancellationToken): 'active' | 'cancelled' | 'disposed' {
  return isCancelled(token) ? 'cancelled' : token.flags & DISPOSED ? 'disposed' : 'active';
}

/** Refuses a method that runs on something else than a token, before anything is written there. */
function own(token: CancellationToken, call: string): void {
  if (!CancellationToken.owns(token)) throw misusedToken(token, call);
}

function misusedToken(value: unknown, call: string): TypeError {
  return misused(CancellationToken.prototype, 'token', call, value);
}

/** Frozen, without a parent: as a disposed token it keeps nothing that is registered on it. */
let never: CancellationToken | undefined;

function refuseNever(token: CancellationToken): void {
  if (token === never) throw new TypeError('CancellationToken.never cannot be cancelled: make a token of your own');
}

function childWithDeadline(
  parent: CancellationToken,
  ms: number,
  wall: number,
  clock: Clock,
  options: DeadlineOptions | undefined,
): CancellationToken {
  const child = parent.childToken(options?.name === undefined ? undefined : { name: options.name });
  setDeadline(child, ms, wall, clock, child.name);
  return child;
}

function group(sources: Iterable<CancellationToken | AbortSignal>, extra: unknown, isAll: boolean): CancellationToken {
  const name = isAll ? 'all' : 'any';
  const call = `CancellationToken.${name}`;
  if (typeof sources?.[Symbol.iterator] !== 'function' || typeof sources === 'string') {
    releaseArgument(sources);
    throw new TypeError(`${call}: expected a list, got ${show(sources)}: write ${name}([a, b])`);
  }
  refuseExtra(call, extra, `write ${name}([a, b])`);
  const tokens = new Set([...sources].map((source) => CancellationToken.from(source, call)));
  const token = new CancellationToken();
  if (tokens.size === 0 && isAll) token.cancel();
  else attachTrigger(token, new Group(token, [...tokens], isAll), COUNTS_WAITERS);
  return token;
}
