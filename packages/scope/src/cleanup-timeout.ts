import {
  type CancellationToken,
  type Clock,
  PENDING,
  type Timer,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';

/** The parts of a scope that its cleanup timeout reads. */
interface TimeoutOwner {
  readonly token: CancellationToken;
  readonly clock: Clock;
  /** In milliseconds, or `undefined` for no limit: then no timer is ever set. */
  readonly cleanupTimeout: number | undefined;
  /** Whether all children have ended: then no timer starts. */
  readonly hasJoined: boolean;
  checkJoined(): void;
}

/**
 * The cleanup timeout of a scope's body and tasks. It starts when the scope is cancelled, or when only daemons are left.
 *
 * It also exists for a scope with a deadline and no cleanup timeout. Its waiter then keeps the process alive until the
 * deadline, which a callback would not do.
 */
export class CleanupTimeout {
  readonly #owner: TimeoutOwner;
  readonly #waiter: Waiter;
  /** Set by `start`, and cleared by `reset` alone. After `clearTimer` it stays set, so that no other timer starts. */
  #timer: Timer | undefined = undefined;
  /** Set when the timer fires. */
  hasPassed = false;

  constructor(owner: TimeoutOwner) {
    this.#owner = owner;
    this.#waiter = waiter(() => this.start());
  }

  /** Starts the timer when the scope's token is cancelled. */
  watch(): void {
    const { token } = this.#owner;
    if (token.poll() === PENDING) token.park(this.#waiter);
    // Parking may run any code, including a cancellation.
    if (token.poll() !== PENDING) this.start();
  }

  unwatch(): void {
    this.#owner.token.unpark(this.#waiter);
  }

  start(): void {
    const { clock, cleanupTimeout, hasJoined } = this.#owner;
    if (cleanupTimeout === undefined || this.#timer !== undefined || hasJoined) return;
    const onTimeout = (): void => {
      this.hasPassed = true;
      this.#owner.checkJoined();
    };
    this.#timer = clock.setTimer(cleanupTimeout, onTimeout, { ref: true });
  }

  /** Clears the timer, unless a cancellation started it. `start` may set it again. */
  reset(): void {
    if (this.#timer === undefined || this.#owner.token.isCancelled) return;
    this.#owner.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  clearTimer(): void {
    if (this.#timer !== undefined) this.#owner.clock.clearTimer(this.#timer);
  }
}
