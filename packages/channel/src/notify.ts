import { defineHandle } from '@quiesce/internal';
import { Notified } from './notified.ts';
import { NotifyQueue } from './notify-queue.ts';
import type { WaitOptions } from './wait-options.ts';

/**
 * Wakes tasks without carrying a value: "there is something to do", "check again".
 *
 * It stores at most one notification. So a `notifyOne` before `notified` is not lost, and several `notifyOne` before the
 * next `notified` count as one. Use a channel to hand over values, `watch` to publish a state, and a `Semaphore` to count.
 *
 * **Cancel safety.** A `notified` that is given up, or loses in `select`, passes its notification on to the next waiter.
 *
 * **Fairness.** `notifyOne` wakes the waiter that has waited longest, `notifyLast` the one that came last.
 *
 * @see tokio::sync::Notify (tokio 1.53)
 * @example
 * ```ts
 * const work = new Notify();
 * const jobs: string[] = [];
 * const worker = (async () => {
 *   await work.notified();
 *   console.log('working on', jobs.shift());
 * })();
 * jobs.push('a job');
 * work.notifyOne();
 * await worker; // => working on a job
 * ```
 */
export class Notify {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Notify, {
    name: 'notify',
    owns: (value) => #queue in value,
    facts: ({ waiterCount, isNotified }) => ({ waiterCount, isNotified }),
  });
  readonly #queue: NotifyQueue = new NotifyQueue();

  /** The number of waits in the queue. Takes time proportional to it. */
  get waiterCount(): number {
    return this.#queue.length;
  }

  /** Whether a notification is stored, which the next `notified` takes. */
  get isNotified(): boolean {
    return this.#queue.isStored;
  }

  /**
   * Waits for a notification: await it, or make it a branch of `select`.
   *
   * **Timing.** It joins the waiters when something waits for it, or by {@link Notified.enable}. A `notifyWaiters` after
   * this call completes it. A notification is taken synchronously, inside the `notifyOne` that gives it.
   *
   * **Cancel safety.** When it is given up, its notification goes to the next waiter. Its place in the queue is lost.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns one notification, which stays ready
   * @throws TypeError when an option has the wrong type; RangeError when `timeout` is negative or NaN. When awaited:
   *   `TimeoutError`; the reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::Notify::notified_owned (tokio 1.53)
   */
  notified(options?: WaitOptions): Notified {
    return new Notified(this.#queue, options);
  }

  /**
   * Wakes the waiter that has waited longest. Without a waiter it stores the notification for the next `notified`.
   *
   * **Timing.** Synchronous. A waiter that does not use the notification passes it on.
   *
   * @see tokio::sync::Notify::notify_one (tokio 1.53)
   */
  notifyOne(): void {
    this.#queue.notify('first');
  }

  /**
   * Wakes the waiter that came last. Otherwise as `notifyOne`.
   *
   * @see tokio::sync::Notify::notify_last (tokio 1.53)
   * @example
   * ```ts
   * const work = new Notify();
   * const ready = ['first', 'last'].map((name) => work.notified().then(() => console.log(name)));
   * work.notifyLast();
   * await ready[1]; // => last
   * work.notifyOne();
   * await ready[0]; // => first
   * ```
   */
  notifyLast(): void {
    this.#queue.notify('last');
  }

  /**
   * Wakes every waiter, and completes every `notified` that was made before this call. Stores nothing for later ones.
   *
   * **Timing.** Synchronous, in the order in which they wait.
   *
   * @see tokio::sync::Notify::notify_waiters (tokio 1.53)
   * @example
   * ```ts
   * const configChanged = new Notify();
   * const early = configChanged.notified();
   * configChanged.notifyWaiters();
   * await early.then(() => console.log('early')); // => early
   * ```
   */
  notifyWaiters(): void {
    this.#queue.notifyAll();
  }
}
