import { defineHandle } from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { limited, type WaitOptions } from './limited.ts';
import { type NotifyQueue, Place } from './notify-queue.ts';

/**
 * One wait for a notification, as {@link Notify.notified} returns it.
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
  static readonly completed: object = /* @__PURE__ */ defineHandle(Notified, {
    name: 'notified',
    owns: (value) => #place in value,
    dispose: 'dispose',
    facts: ({ isEnabled }) => ({ isEnabled }),
  });
  readonly #place: Place;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: NotifyQueue, options: WaitOptions | undefined) {
    const place = new Place(queue);
    super(limited(place, options, 'notified'));
    this.#place = place;
  }

  /**
   * Joins the waiters now, before anything waits: a `notifyOne` from here on may choose this one, and is then kept for it.
   *
   * Use it to look for work between `enable` and `await` when several tasks do the same. Then dispose it, so that it passes
   * on a notification that it did not use: `using ready = notify.notified()`.
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
    return this.#place.enable();
  }

  /** Whether it stands in the queue, or keeps its notification, also while nothing waits for it. */
  get isEnabled(): boolean {
    return this.#place.isEnabled;
  }

  /**
   * Leaves the queue that `enable` has joined. A notification that nothing has taken goes to the next waiter. Synchronous,
   * idempotent. Waits that are under way are not affected.
   */
  dispose(): void {
    this.#place.dispose();
  }
}
