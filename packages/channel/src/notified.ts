import { Awaitable } from '@quiesce/cancellation-token/internal';
import { defineHandle } from '@quiesce/internal';
import { type NotifyQueue, NotifyWaiter } from './notify-queue.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * Waits for one notification, as {@link Notify.notified} returns it.
 *
 * @see tokio::sync::futures::Notified (tokio 1.53)
 * @example
 * ```ts
 * const notify = new Notify();
 * const ready = notify.notified();
 * notify.notifyOne();
 * await ready;
 * console.log('notified'); // => notified
 * ```
 */
export class Notified extends Awaitable<void> implements Disposable {
  /** @internal See `defineHandle`. */
  static override readonly completed: object = /* @__PURE__ */ defineHandle(Notified, {
    name: 'notified',
    owns: (value) => #waiter in value,
    dispose: 'dispose',
    facts: ({ isEnabled }) => ({ isEnabled }),
  });
  readonly #waiter: NotifyWaiter;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: NotifyQueue, options: WaitOptions | undefined) {
    const waiter = new NotifyWaiter(queue);
    super(withLimits(waiter, options, 'notified'));
    this.#waiter = waiter;
  }

  /**
   * Joins the waiters now, before anything waits. From here on a `notifyOne` may choose this one, and is then kept for it.
   *
   * Use it to check for work between `enable` and `await` when several tasks do the same. Then dispose it, so that it
   * passes on a notification that it did not use: `using ready = notify.notified()`.
   *
   * @returns whether it is ready, because it was notified before
   * @see tokio::sync::futures::Notified::enable (tokio 1.53)
   * @example
   * ```ts
   * const notify = new Notify();
   * using ready = notify.notified();
   * console.log(ready.enable()); // => false
   * notify.notifyOne();
   * console.log(ready.enable()); // => true
   * ```
   */
  enable(): boolean {
    return this.#waiter.enable();
  }

  /** Whether it is in the queue, or keeps its notification, even while nothing waits for it. */
  get isEnabled(): boolean {
    return this.#waiter.isEnabled;
  }

  /**
   * Leaves the queue that `enable` has joined. A notification that nothing has taken goes to the next waiter. Synchronous,
   * idempotent. Waits in progress are not affected.
   */
  dispose(): void {
    this.#waiter.dispose();
  }
}
