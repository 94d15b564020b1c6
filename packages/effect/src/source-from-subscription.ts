import { PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Effect, Exit, PubSub } from 'effect';
import { endError } from './source-from-queue.ts';
import { TakeSource, type TakeStrategy } from './take-source.ts';

/** One source for each subscription, so that a message that has arrived is found by the next call. */
const sources = new WeakMap<object, Source<unknown>>();

/**
 * Makes a source from a subscription to a `PubSub` of Effect, for use as a branch of `select`. It sees every message.
 *
 * **Timing.** A message that is there is taken synchronously. Waiters are woken within the `publish` of a message.
 *
 * **Cancel safety.** A branch that loses has taken nothing, and leaves the queue of the subscription at once. A message that
 * arrives for a waiter which does not take it is kept for the next poll.
 *
 * **Fairness.** Waiters wait in the same queue as `PubSub.take`.
 *
 * @param subscription the result of `PubSub.subscribe`
 * @returns a source of its messages, the same one at each call. A poll throws `ClosedError` when the subscription or its
 *   PubSub was closed. After `PubSub.end`, every poll returns the final value, as `PubSub.take` does
 * @see `Stream.runIntoPubSub` (effect 4) with {@link streamFromSource} for the opposite direction
 * @example
 * ```ts
 * import { Effect, PubSub } from 'effect';
 *
 * const program = Effect.gen(function* () {
 *   const pubsub = yield* PubSub.unbounded<string>();
 *   const news = sourceFromSubscription(yield* PubSub.subscribe(pubsub));
 *   yield* PubSub.publish(pubsub, 'ready');
 *   return yield* effectFromSelect(() => ({ news, stop: new CancellationToken() }));
 * });
 * console.log(await runEffect(Effect.scoped(program))); // => { branch: 'news', value: 'ready' }
 * ```
 */
export function sourceFromSubscription<A>(subscription: PubSub.Subscription<A>): Source<A> {
  checkKind(subscription?.shutdownFlag !== undefined, 'sourceFromSubscription', 'a Subscription', subscription);
  const known = sources.get(subscription);
  if (known !== undefined) return known as Source<A>;
  const made = { [source]: new TakeSource(new SubscriptionBuffer(subscription)) };
  sources.set(subscription, made);
  return made;
}

/** Holds messages that have arrived and were not taken. A subscription has no peek: waiting for a message takes it. */
class SubscriptionBuffer<A> implements TakeStrategy<A> {
  readonly ready: Effect.Effect<A>;
  /** In order of arrival. A take resumes publishers, which may take as well, so several can arrive. */
  readonly #arrived: A[] = [];
  /** The error of a closed subscription. */
  #endError: unknown = undefined;
  #hasEnded = false;

  constructor(subscription: PubSub.Subscription<A>) {
    this.ready = PubSub.take(subscription);
  }

  take(): A | typeof PENDING {
    if (!this.hasMore()) return PENDING;
    if (this.#arrived.length === 0) throw this.#endError;
    return this.#arrived.shift() as A;
  }

  onReady(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      this.#arrived.push(exit.value as A);
      return;
    }
    this.#hasEnded = true;
    this.#endError = endError(exit.cause, 'subscription');
  }

  /** When nothing has arrived, tries to take from the subscription. A take that would wait is interrupted at once. */
  hasMore(): boolean {
    if (this.#arrived.length > 0 || this.#hasEnded) return true;
    const fiber = Effect.runFork(this.ready);
    const exit = fiber.pollUnsafe();
    if (exit === undefined) fiber.interruptUnsafe();
    else this.onReady(exit);
    return exit !== undefined;
  }
}
