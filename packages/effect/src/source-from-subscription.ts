import { PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Effect, Exit, PubSub } from 'effect';
import { endOf } from './source-from-queue.ts';
import { TakeSource, type Wait } from './take-source.ts';

/** One for each subscription, so that what has arrived at it is found by whoever asks next. */
const sources = new WeakMap<object, Source<unknown>>();

/**
 * A subscription to an Effect's `PubSub` as a source: a branch of `select` that sees every message.
 *
 * **Timing.** What is there is taken synchronously; waiters are woken inside of the `publish` that brings a message.
 *
 * **Cancel safety.** A branch that loses has taken nothing: who leaves has left the subscription's line at once. A message
 * that arrives for a waiter which then does not take it is kept for the next poll.
 *
 * **Fairness.** In one line with `PubSub.take`.
 *
 * @param subscription what `PubSub.subscribe` gave
 * @returns gives its messages, the same source at each call; `ClosedError` when the subscription or its PubSub was closed.
 *   After `PubSub.end` it gives the final value again and again, as `PubSub.take` does
 * @see `Stream.runIntoPubSub` (effect 4) with {@link streamFromSource}, for the way back
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
  const made = { [source]: new TakeSource(new Slot(subscription)) };
  sources.set(subscription, made);
  return made;
}

/** What has arrived and was not taken yet. A subscription cannot be peeked at: whoever waits there takes. */
class Slot<A> implements Wait<A> {
  readonly ready: Effect.Effect<A>;
  /** In order of arrival. Taking lets publishers go on, who may take in turn: hence several. */
  readonly #arrived: A[] = [];
  /** Set when the subscription was closed. */
  #end: unknown = undefined;
  #isOver = false;

  constructor(subscription: PubSub.Subscription<A>) {
    this.ready = PubSub.take(subscription);
  }

  take(): A | typeof PENDING {
    if (!this.hasMore()) return PENDING;
    if (this.#arrived.length === 0) throw this.#end;
    return this.#arrived.shift() as A;
  }

  arrived(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      this.#arrived.push(exit.value as A);
      return;
    }
    this.#isOver = true;
    this.#end = endOf(exit.cause, 'subscription');
  }

  /** Asks the subscription, where nothing has arrived by itself: a take that would wait is given up at once. */
  hasMore(): boolean {
    if (this.#arrived.length > 0 || this.#isOver) return true;
    const fiber = Effect.runFork(this.ready);
    const exit = fiber.pollUnsafe();
    if (exit === undefined) fiber.interruptUnsafe();
    else this.arrived(exit);
    return exit !== undefined;
  }
}
