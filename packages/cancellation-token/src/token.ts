import {
  checkFunction,
  checkKind,
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
import { Awaitable } from './awaitable.ts';
import { cancelSubtree } from './cancel.ts';
import { type Clock, systemClock } from './clock.ts';
import { checkSince, deadlineOf, setDeadline, setRenewable, timeLeft, wallOf } from './deadline.ts';
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
import { RenewableDeadline } from './renewable-deadline.ts';
import { runUntilCancelled } from './run-until-cancelled.ts';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import {
  type DeadlineOptions,
  LIMITS,
  NAME,
  RENEWABLE,
  type RenewableOptions,
  refuseParent,
  type TokenOptions,
} from './token-options.ts';
import { adopt, isCancelled, isMarkedCancelled, reasonOf } from './tree.ts';
import { guarded } from './uncaught.ts';
import type { UntilCancelled } from './until-cancelled-source.ts';

/** The last moment that a `Date` can represent, in ms since 1970. */
const LAST_DATE = 8.64e15;

/**
 * Signals cancellation, once and with a reason, to any number of tasks.
 *
 * Tokens form a tree. Cancelling a token cancels everything below it, and nothing above it. A token is one plain object, and
 * each listener costs one place in a list. A token without listeners can be dropped without cleanup. A child with listeners
 * stays linked to its parent until they are removed, or until it is cancelled or disposed. A child whose `signal` was read stays
 * linked until it is cancelled or disposed (`using`).
 *
 * **Timing.** Everything is synchronous. `cancel` first marks the whole subtree and then notifies, depth first. On each token
 * it notifies callbacks, waiters and the signal's event in registration order, and then the tokens below.
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
  /** Only tokens have it. A proxy or a copy of a token would break the lists of other tokens. */
  readonly #isToken: true;
  /** Does the same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /**
   * Creates a root, which only its own `cancel` cancels.
   *
   * @param options `name`: shown in errors and debuggers
   * @see tokio_util::sync::CancellationToken::new
   */
  constructor(options?: TokenOptions) {
    // Always the same fields in the same order, so that engines give all tokens one shape.
    this.parentOrReason = undefined;
    this.flags = 0;
    this.next = undefined;
    this.prev = undefined;
    this.head = undefined;
    this.#isToken = true;
    if (options === undefined) return;
    refuseParent(options);
    checkOptions('new CancellationToken', options, NAME);
    if (options.name !== undefined) needDetails(this).name = options.name;
  }

  /** @internal Whether `value` is a token of this copy of the package, and neither a proxy nor a copy of one. */
  static owns(value: unknown): value is CancellationToken {
    return typeof value === 'object' && value !== null && #isToken in value;
  }

  /**
   * Returns a token that follows a foreign `AbortSignal`: cancelled when the signal aborts, with the same reason, verbatim.
   *
   * All tokens that follow one signal share one listener on it. The listener is there only while one of them is observed.
   * Cancelling or disposing the returned token affects neither the signal and its owner nor the other followers: a signal is
   * the read-only half of its controller or token.
   *
   * @param signal the signal to follow. A token is returned unchanged; the `signal` of a token gives a child of that token
   * @param what how errors name the value: the call and the option that your user wrote, such as `save: signal`
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
      // Not a default parameter, because `map(CancellationToken.from)` passes an index.
      const where = typeof what === 'string' ? what : 'CancellationToken.from';
      releaseArgument(signal);
      throw new TypeError(`${where}: expected an AbortSignal or a CancellationToken, got ${describeRefused(signal)}`);
    }
    const owner = tokenOfSignal.get(native) as CancellationToken | undefined;
    return (owner ?? followerOf(native, () => new CancellationToken())).childToken();
  }

  /**
   * Returns a token that is cancelled with the first of several tokens or signals, with its reason.
   *
   * **Timing.** Synchronous: `isCancelled` is exact at each read. The token listens to its sources only while it is observed,
   * and is otherwise collected like any other object.
   *
   * @param sources tokens and signals; an empty list never cancels the token
   * @throws TypeError when one of them is neither a token nor a signal
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
   * Returns a token that is cancelled with the last of several tokens or signals, with its reason. Use it for work that several
   * callers share, and that may stop when all of them have left. For an empty list the token is already cancelled, as
   * `Promise.all([])` is fulfilled.
   *
   * **Timing.** As `any`.
   *
   * @param sources tokens and signals
   * @throws TypeError when one of them is neither a token nor a signal
   * @example
   * ```ts
   * const [first, second] = [new CancellationToken(), new CancellationToken()];
   * const unused = CancellationToken.all([first, second]);
   * first.cancel('left');
   * console.log(unused.isCancelled); // => false
   * second.cancel('left too');
   * console.log(unused.reason); // => left too
   * ```
   */
  static all(sources: Iterable<CancellationToken | AbortSignal>): CancellationToken;
  static all(sources: Iterable<CancellationToken | AbortSignal>, extra?: unknown): CancellationToken {
    return group(sources, extra, true);
  }

  /**
   * Returns a root with a deadline; see `withTimeout`.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline)
   * @param options `name`; `clock`
   * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
   * @see the platform's `AbortSignal.timeout`
   */
  static timeout(ms: number, options?: DeadlineOptions): CancellationToken {
    checkOptions('CancellationToken.timeout', options, LIMITS);
    checkTime('CancellationToken.timeout: the time', ms);
    return new CancellationToken().withTimeout(ms, options);
  }

  /**
   * A token that is never cancelled, for callers that have no token. Always the same object; its `cancel` throws a TypeError.
   */
  static get never(): CancellationToken {
    if (never === undefined) {
      never = new CancellationToken({ name: 'never' });
      never.dispose();
    }
    return never;
  }

  /** Returns a new token that is already cancelled, with this reason or a {@link CancelledError}. */
  static alreadyCancelled(reason?: unknown): CancellationToken {
    const token = new CancellationToken();
    token.cancel(reason);
    return token;
  }

  /** The name given when the token was created; `undefined`: none. */
  get name(): string | undefined {
    own(this, 'name');
    return detailsOf(this)?.name;
  }

  /**
   * Whether the token is cancelled; once `true`, it stays `true`. Synchronous.
   *
   * O(1) when the token is observed, or was read since the last cancellation of any token with children. Below a followed
   * signal each read walks up to that signal. For `any` and `all` each read also visits the sources that depend on signals or
   * deadlines.
   */
  get isCancelled(): boolean {
    // Inlined here, in childToken and in dispose: `own` would cost as much as the rest of the call.
    if (!(#isToken in Object(this))) throw misusedToken(this, 'isCancelled');
    return isCancelled(this);
  }

  /**
   * The reason of the cancellation; `undefined` until then. It is the value passed to `cancel`, verbatim, or a
   * {@link CancelledError}, and the whole subtree shares it.
   *
   * With several deadlines, the reason names the deadline that passed first for this token. The stack of a `CancelledError`
   * shows the call of `cancel`; that of a `TimeoutError` shows where the deadline was set. Their texts contain the name of the
   * cancelled token.
   */
  get reason(): unknown {
    own(this, 'reason');
    return isCancelled(this) ? reasonOf(this) : undefined;
  }

  /**
   * The token as a native `AbortSignal`, for APIs that take one; always the same object.
   *
   * **Timing.** Created at the first read. From then on its event fires in order with the token's callbacks. Its `reason` is
   * the token's. It has no listener limit.
   *
   * Reading it observes the token until the end, because native listeners cannot be observed. Dispose a child when the work is
   * done (`using`), or its parent keeps it until it is cancelled.
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
   * Returns a new token below this one: cancelled with it, and unable to cancel it.
   *
   * **Timing.** Synchronous; allocates one object. Below a cancelled token the child is already cancelled. Below a disposed
   * token it becomes a child of the nearest ancestor that is not disposed.
   *
   * @param options `name`: shown in errors and debuggers
   * @see tokio_util::sync::CancellationToken::child_token
   */
  childToken(options?: TokenOptions): CancellationToken {
    if (!(#isToken in Object(this))) throw misusedToken(this, 'childToken');
    if (options !== undefined) checkOptions('childToken', options, NAME);
    const child = new CancellationToken(options);
    adopt(child, liveAncestor(this));
    return child;
  }

  /**
   * Returns a child that is cancelled with a {@link TimeoutError} after `ms` milliseconds, unless it is cancelled before.
   *
   * **Timing.** The deadline is fixed at the call. After the deadline, `isCancelled` is `true`, even in a loop that lets no
   * timer run. A timer is set only while the token is observed. It keeps the process alive only while a waiter waits for the
   * token or for one below it; callbacks and a `signal` alone do not.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline); times above 2^31-1 are waited in full
   * @param options `name`; `clock`: the clock to use
   * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
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
   * Returns a child that is cancelled at a time of day; otherwise as `withTimeout`. A time in the past cancels it immediately.
   *
   * @param date when to cancel it
   * @param options `name`; `clock`
   * @throws TypeError when `date` is not a `Date`; RangeError when it is invalid
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

  /**
   * Returns a deadline that can be renewed, for work that may continue as long as another side keeps answering: a lease, a
   * heartbeat, an idle timeout. Its `token` is a child of this token, which is cancelled at the deadline, unless it is cancelled
   * before. For a time limit that never changes use `withTimeout`.
   *
   * **Timing.** As `withTimeout`. The deadline is at `since + ms` on the clock's `now()` scale until it is renewed. Tokens below
   * inherit it and its renewals. A fixed deadline below it stays, also when it is the later one at that time.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline until it is renewed)
   * @param options `name` of the token; `clock`; `since`: when the time began, on the scale of the clock's `now()`, such as
   *   before a request was sent; `reason`: makes the reason, and is called once when the deadline has passed; `wall`: whether
   *   the deadline also passes when the wall clock has advanced by `ms`, as while a machine sleeps
   * @returns the deadline: `token`, `left`, `renew(ms, since?)`
   * @throws TypeError for an argument or option of the wrong type, and for a `clock` that lacks `wall()` where it is
   *   used; RangeError when `ms` is negative or NaN, or `since` is in the future
   * @see Go's time.Timer.Reset
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const lease = new CancellationToken().renewable(15_000, { clock, reason: () => new Error('lease lost') });
   * await clock.advance(10_000);
   * console.log(lease.renew(15_000), lease.left); // => true 15000
   * await clock.advance(15_000);
   * console.log(lease.token.isCancelled, String(lease.token.reason)); // => true Error: lease lost
   * console.log(lease.renew(15_000)); // => false
   * ```
   */
  renewable(ms: number, options?: RenewableOptions): RenewableDeadline {
    own(this, 'renewable');
    checkOptions('renewable', options, RENEWABLE, ['wall']);
    checkTime('renewable: the time', ms);
    const clock = options?.clock ?? deadlineOf(this)?.clock ?? systemClock;
    const { name, since, reason, wall: usesWall = false } = options ?? {};
    if (reason !== undefined) checkFunction('renewable: reason', reason);
    if (usesWall) checkKind(typeof clock.wall === 'function', 'renewable: clock', 'a Clock with wall()', clock);
    const now = clock.now();
    checkSince('renewable', since, now);
    const token = this.childToken(name === undefined ? undefined : { name });
    const deadline = setRenewable(token, { ms, since: since ?? now, clock, name }, { reason, usesWall });
    return new RenewableDeadline(token, deadline);
  }

  /** The earliest deadline, the token's own or an inherited one; `undefined`: none. Clamped to the range of `Date`. */
  get deadline(): Date | undefined {
    own(this, 'deadline');
    const wall = wallOf(this);
    return wall === undefined ? undefined : new Date(Math.min(wall, LAST_DATE));
  }

  /**
   * The time until the earliest deadline, in milliseconds, 0 or more; `undefined`: there is none. It is measured by the clock of
   * the deadline, so it stays right when the time of day is set. Pass it on to other services, and to drivers that take a time.
   *
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const token = CancellationToken.timeout(5_000, { clock });
   * await clock.advance(2_000);
   * console.log(token.timeLeft, new CancellationToken().timeLeft); // => 3000 undefined
   * ```
   */
  get timeLeft(): number | undefined {
    own(this, 'timeLeft');
    return timeLeft(this);
  }

  /**
   * Returns a root of the same name that is independent of this token and its deadline. Use it for work that must finish after
   * a cancellation, such as a commit.
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
   * **Timing.** Synchronous: the subtree is marked before the first callback runs, and all callbacks have run when the
   * outermost `cancel` returns. A `cancel` inside a callback marks immediately; its callbacks run after those that are already
   * queued. A callback that throws stops no other; its error goes to the uncaught handler afterwards.
   *
   * @param reason becomes the reason of the subtree, verbatim; `undefined` stands for a {@link CancelledError}
   * @returns whether this call changed the state: `false` when already cancelled, or disposed
   * @throws TypeError on `CancellationToken.never`
   * @see tokio_util::sync::CancellationToken::cancel
   */
  cancel(reason?: unknown): boolean {
    own(this, 'cancel');
    refuseNever(this);
    if (isCancelled(this) || this.flags & DISPOSED) return false;
    // Created here and not at the first read, so that its stack shows the caller of `cancel`.
    const value =
      reason === undefined ? new CancelledError(`This operation was cancelled${ofToken(this.name)}`) : reason;
    cancelSubtree(this, new Reason(value, 'explicit'));
    return true;
  }

  /**
   * Throws the reason, verbatim, if the token is cancelled.
   *
   * @throws the value passed to `cancel`, else a {@link CancelledError}
   */
  throwIfCancelled(): void {
    own(this, 'throwIfCancelled');
    if (isCancelled(this)) throw reasonOf(this);
  }

  /**
   * Calls `fn` once when the token is cancelled.
   *
   * **Timing.** Synchronously inside `cancel`, in registration order. If the token is already cancelled, `fn` runs before
   * `onCancelled` returns; on a disposed token it never runs. An error that `fn` throws goes to the uncaught handler, not to
   * the caller of `cancel`.
   *
   * @param fn receives the reason
   * @returns a registration; `dispose()` removes the callback
   * @throws TypeError when `fn` is not a function
   * @example
   * ```ts
   * const token = new CancellationToken();
   * {
   *   using _ = token.onCancelled(() => console.log('only inside this block'));
   * }
   * token.cancel();
   * ```
   */
  onCancelled(fn: (reason: unknown) => void): Registration {
    own(this, 'onCancelled');
    checkFunction('onCancelled', fn);
    const registration = new Registration(fn);
    // Polling may run callbacks, which may dispose this token.
    const isLate = isCancelled(this);
    if (!isLate && !(this.flags & DISPOSED)) {
      observe(this, registration);
      return registration;
    }
    registration.dispose();
    // The call comes after the notification; its error goes to the same handler.
    if (isLate) guarded(() => fn(reasonOf(this)));
    return registration;
  }

  /**
   * Waits for the cancellation: `await token.cancelled()` gives `undefined`, a `select` branch gives the reason.
   *
   * **Timing.** An `await` continues in a microtask after the cancellation.
   *
   * **Cancel safety.** A `select` branch retains nothing. `Promise.race([token.cancelled(), …])` leaves one waiter for each
   * call, as with any long-lived promise: use `select`.
   *
   * @returns always the same object for one token
   * @see tokio_util::sync::CancellationToken::cancelled
   */
  cancelled(): Awaitable<void, unknown> {
    own(this, 'cancelled');
    const details = needDetails(this);
    // `await` gives nothing, as in Tokio. A promise could not carry every reason.
    details.awaitable ??= new Awaitable<void, unknown>(this, true);
    return details.awaitable as Awaitable<void, unknown>;
  }

  /**
   * Runs work until the token is cancelled, and returns which of the two came first.
   *
   * **Timing.** Work does not start when the token is already cancelled. A cancellation decides one microtask later, so work
   * that settles in the same synchronous run as `cancel` wins. A function gets a child token and is awaited: a value that it
   * still returns wins, its cancellation error does not.
   *
   * **Cancel safety.** The same as that of the work. A losing promise continues, and its rejection is handled. A losing call
   * that is a source, such as `rx.recv()` or `lock.acquire()`, has taken nothing.
   *
   * @param work a promise, or a function `(token) => promise`
   * @returns `{ status: 'fulfilled', value }` or `{ status: 'cancelled', reason }`
   * @throws the error of the work, unless it is a cancellation error after the cancellation
   * @see tokio_util::sync::CancellationToken::run_until_cancelled
   * @example
   * ```ts
   * const token = new CancellationToken();
   * const running = token.runUntilCancelled(new Promise(() => {}));
   * token.cancel('enough');
   * console.log(await running); // => { status: 'cancelled', reason: 'enough' }
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
   * Returns a guard that cancels the token at the end of its block, whether it returns or throws.
   *
   * @returns the guard; `disarm()` deactivates it and returns the token
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
   * Removes the token from the tree without cancelling anything; `using` calls it at the end of a block.
   *
   * An active token is frozen. It is never cancelled, its callbacks are removed, its signal never fires, `cancel` returns
   * `false`, and registering does nothing. Its children and waiters move to its parent; without a parent the children become
   * roots. On a cancelled token only callbacks that have not run yet are removed. Synchronous, idempotent.
   *
   * @see dropping the last handle of a tokio_util::sync::CancellationToken
   */
  dispose(): void {
    if (!(#isToken in Object(this))) throw misusedToken(this, 'dispose');
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

  /** @internal Polls the token itself, or the ancestor to which a disposed token's waiters have moved. */
  poll(): unknown {
    const node = liveAncestor(this);
    return node !== undefined && isCancelled(node) ? reasonOf(node) : PENDING;
  }

  /** @internal A waiter that parks on a cancelled token is not woken: poll first. */
  park(waiter: Waiter): void {
    const node = liveAncestor(this);
    // Without polling a trigger: a deadline that has passed since the poll must wake the waiter, not drop it.
    if (!isParkedOn(node, waiter) && node !== undefined && !isMarkedCancelled(node)) observe(node, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    if (waiter.owner !== undefined && waiter.owner === liveAncestor(this)) unobserve(waiter);
  }

  /** @internal Whether parking runs no other code: no group and no deadline is above the token. */
  get isQuiet(): boolean {
    own(this, 'isQuiet');
    return (this.flags & (HAS_TRIGGER | BELOW_TRIGGER | COUNTS_WAITERS)) === 0;
  }

  /** Returns `CancellationToken(name, state)` rather than the tree below the token. */
  toString(): string {
    own(this, 'toString');
    return `CancellationToken(${this.name === undefined ? '' : `${JSON.stringify(this.name)}, `}${stateOf(this)})`;
  }
}

/** The source protocol of a token: ready once cancelled; its value is the reason. */
// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface CancellationToken extends Source<unknown> {}

/** Defines the members that `isolatedDeclarations` does not allow in a class. */
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

/** Refuses a method call on anything but a token, before anything is written there. */
function own(token: CancellationToken, call: string): void {
  if (!CancellationToken.owns(token)) throw misusedToken(token, call);
}

function misusedToken(value: unknown, call: string): TypeError {
  return misused(CancellationToken.prototype, 'token', call, value);
}

/** Disposed and without a parent, so that it retains nothing that is registered on it. */
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
