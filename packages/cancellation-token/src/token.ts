import { defineDispose, show } from '@quiesce/internal';
import { Cancelled } from './cancelled.ts';
import { DropGuard } from './drop-guard.ts';
import { followerOf, isAbortSignal, ours } from './follower.ts';
import { DISPOSED, detailsOf, type Item, needDetails, Reason, type TreeNode } from './node.ts';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import {
  answering,
  bitsBelow,
  dispose,
  isCancelled,
  observe,
  parentFor,
  Registration,
  reasonOf,
  settle,
  unobserve,
} from './tree.ts';
import { reportUncaught } from './uncaught.ts';

/** Marks tokens, so that those of a second copy of this package are recognised. */
const brand: unique symbol = Symbol.for('quiesce.token') as never;

/** What can be said of a new token. */
export interface TokenOptions {
  /** How error texts, scope trees and the debugger call it. */
  readonly name?: string | undefined;
}

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
  /** @internal */
  up: TreeNode | Reason | undefined;
  /** @internal */
  bits: number;
  /** @internal */
  next: Item | undefined;
  /** @internal */
  prev: Item | undefined;
  /** @internal */
  head: Item | undefined;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /**
   * Makes a root: nothing but its own `cancel` cancels it.
   *
   * @param options `name`: how error texts and the debugger call it
   * @see tokio_util::sync::CancellationToken::new
   */
  constructor(options?: TokenOptions) {
    // Always the same five fields in the same order: engines give all tokens one shape.
    this.up = undefined;
    this.bits = 0;
    this.next = undefined;
    this.prev = undefined;
    this.head = undefined;
    if (options?.name !== undefined) needDetails(this).name = options.name;
  }

  /**
   * A token that follows a foreign `AbortSignal`: cancelled when it aborts, with its reason, verbatim.
   *
   * All tokens that follow one signal share one listener on it, which is there only while one of them is observed.
   * Cancelling the token that is returned leaves the signal and the other followers alone.
   *
   * @param signal the signal to follow; a token is returned as it is, and so is `token` for its own `token.signal`
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
  static from(signal: AbortSignal | CancellationToken): CancellationToken {
    if (signal instanceof CancellationToken) return signal;
    const foreign = signal as { readonly [brand]?: true; readonly signal?: AbortSignal } | null | undefined;
    const native = foreign?.[brand] === true ? foreign.signal : signal;
    if (!isAbortSignal(native)) {
      throw new TypeError(
        `expected an AbortSignal or a CancellationToken, got ${show(signal)}; pass controller.signal, not the controller`,
      );
    }
    const token = ours.get(native) as CancellationToken | undefined;
    return token ?? followerOf(native, () => new CancellationToken()).childToken();
  }

  /** The name given at birth; `undefined`: none. */
  get name(): string | undefined {
    return detailsOf(this)?.name;
  }

  /** Whether the token is cancelled; once true for ever true. Synchronous; O(1) when observed or asked before. */
  get isCancelled(): boolean {
    return isCancelled(this);
  }

  /**
   * Why the token was cancelled: what was passed to `cancel`, verbatim, or a {@link CancelledError} made for the first
   * reader, the same for the whole subtree. `undefined` until then.
   */
  get reason(): unknown {
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
    const details = needDetails(this);
    if (details.signal !== undefined) return details.signal;
    const controller = new AbortController();
    const signal = controller.signal;
    details.signal = signal;
    ours.set(signal, this);
    liftListenerLimit(signal);
    if (isCancelled(this)) {
      controller.abort(reasonOf(this));
    } else if (!(this.bits & DISPOSED)) {
      const registration = new Registration((reason) => controller.abort(reason));
      details.registration = registration;
      observe(this, registration);
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
    const child = new CancellationToken(options);
    const parent = parentFor(this);
    child.up = parent;
    child.bits |= bitsBelow(parent);
    return child;
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
   * @see tokio_util::sync::CancellationToken::cancel
   */
  cancel(reason?: unknown): boolean {
    if (isCancelled(this) || this.bits & DISPOSED) return false;
    settle(this, new Reason(reason, 'explicit'));
    return true;
  }

  /**
   * Throws the reason, verbatim, if the token is cancelled.
   *
   * @throws the reason: whatever was passed to `cancel`, else a {@link CancelledError}
   */
  throwIfCancelled(): void {
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
    if (typeof fn !== 'function') throw new TypeError(`onCancelled: expected a function, got ${show(fn)}`);
    const registration = new Registration(fn);
    if (!(this.bits & DISPOSED) && !isCancelled(this)) {
      observe(this, registration);
      return registration;
    }
    registration.unregister();
    if (isCancelled(this)) callNow(fn, reasonOf(this));
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
    const details = needDetails(this);
    details.awaitable ??= new Cancelled(this);
    return details.awaitable as Cancelled;
  }

  /**
   * A guard that cancels the token at the end of its block, however the block ends.
   *
   * @returns the guard; `disarm()` makes it harmless and gives the token back
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
    dispose(this);
  }

  /** @internal Asks whoever answers for this token: itself, or the ancestor to which a disposed one's waiters went. */
  poll(): unknown {
    const node = answering(this);
    return node !== undefined && isCancelled(node) ? reasonOf(node) : PENDING;
  }

  /** @internal A waiter that parks on a cancelled token is not woken: poll first. */
  park(waiter: Waiter): void {
    const node = answering(this);
    if (waiter.owner !== undefined) {
      if (waiter.owner === node) return;
      throw new TypeError('park: this waiter is parked on another source; unpark it there first');
    }
    if (node !== undefined && !isCancelled(node)) observe(node, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    if (waiter.owner !== undefined && waiter.owner === answering(this)) unobserve(waiter);
  }

  /** Prints as `CancellationToken(name, state)`, and not the tree that hangs on it. */
  toString(): string {
    const state = isCancelled(this) ? 'cancelled' : this.bits & DISPOSED ? 'disposed' : 'active';
    return `CancellationToken(${this.name === undefined ? '' : `${JSON.stringify(this.name)}, `}${state})`;
  }
}

/** The source protocol of a token: ready once cancelled; its value is the reason. */
// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface CancellationToken extends Source<unknown> {}

defineDispose(CancellationToken.prototype, 'dispose');
Object.defineProperties(CancellationToken.prototype, {
  [brand]: { value: true },
  // The token is its own protocol object, so that waiting for it allocates nothing.
  [source]: {
    get(this: CancellationToken): SourceProtocol<unknown> {
      return this;
    },
  },
  // What Node's console.log prints.
  [Symbol.for('nodejs.util.inspect.custom')]: { value: CancellationToken.prototype.toString },
});

/** Calls a callback that came too late to be notified; what it throws goes where the others' errors go. */
function callNow(fn: (reason: unknown) => void, reason: unknown): void {
  try {
    fn(reason);
  } catch (error) {
    reportUncaught(error);
  }
}

/** Node warns from the eleventh listener on; a token has no such limit. Elsewhere there is none to lift. */
function liftListenerLimit(signal: AbortSignal): void {
  const host = globalThis as unknown as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const events = host.process?.getBuiltinModule?.('node:events') as
    | { setMaxListeners?: (n: number, target: AbortSignal) => void }
    | undefined;
  events?.setMaxListeners?.(0, signal);
}
