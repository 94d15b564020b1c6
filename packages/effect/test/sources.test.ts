import {
  isCancelledError,
  isClosedError,
  PENDING,
  type Source,
  source,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import {
  effectFromSource,
  runEffect,
  sourceFromDeferred,
  sourceFromQueue,
  sourceFromSubscription,
} from '@quiesce/effect';
import { select, selectEach, trySelect } from '@quiesce/select';
import { Cause, Deferred, Effect, Exit, Fiber, PubSub, Queue, Scope } from 'effect';
import { describe, expect, test } from 'vitest';
import { exitOf, macrotask, macrotasks, rejection, words } from './vocabulary.ts';

/** Makes a waiter that counts its wake-ups and runs a function at each. */
function waiter(then: () => void = () => {}): Waiter & { woken: number } {
  const made = {
    woken: 0,
    next: undefined,
    prev: undefined,
    owner: undefined,
    wake() {
      made.woken++;
      then();
    },
  };
  return made;
}

const queue = <E = never>(capacity: number): Queue.Queue<number, E> =>
  Effect.runSync(Queue.make<number, E>({ capacity }));
const offer = <E>(to: Queue.Queue<number, E>, value: number): boolean => Queue.offerUnsafe(to, value);
const shared =
  <T>(one: T) =>
  (): T =>
    one;
const never = (): Source<never> => sourceFromDeferred(Deferred.makeUnsafe<never>());

/** Makes a PubSub with one subscription, and a function that closes the subscription. */
async function subscribed(make: Effect.Effect<PubSub.PubSub<number>> = PubSub.unbounded<number>()) {
  const scope = Scope.makeUnsafe();
  const pubsub = Effect.runSync(make);
  const subscription = await Effect.runPromise(Effect.provideService(PubSub.subscribe(pubsub), Scope.Scope, scope));
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void));
  const publish = (value: number): boolean => PubSub.publishUnsafe(pubsub, value);
  return { pubsub, subscription, publish, close };
}

describe('a Deferred as a source', () => {
  test('has one value, for every poll', async () => {
    const deferred = Deferred.makeUnsafe<string>();
    const from = sourceFromDeferred(deferred);
    expect(from[source].once).toBe(true);
    expect(from[source].poll()).toBe(PENDING);
    const both = Promise.all([wait(from), wait(from)]);
    Deferred.doneUnsafe(deferred, Exit.succeed('value'));
    expect(await both).toEqual(['value', 'value']);
    expect(trySelect({ from })).toEqual({ ok: true, branch: 'from', value: 'value' });
  });

  test('throws its failure, its defect, or a cancellation when it was interrupted', async () => {
    const failing = async (exit: Exit.Exit<never, string>): Promise<unknown> => {
      const deferred = Deferred.makeUnsafe<never, string>();
      const waiting = rejection(wait(sourceFromDeferred(deferred)));
      Deferred.doneUnsafe(deferred, exit);
      return waiting;
    };
    expect(await failing(Exit.fail('failure'))).toBe('failure');
    expect(await failing(Exit.die('defect'))).toBe('defect');
    expect(isCancelledError(await failing(Exit.interrupt(1)))).toBe(true);
  });

  test('runs the Effect with which it was completed, for the first waiter', async () => {
    const deferred = Deferred.makeUnsafe<string>();
    const from = sourceFromDeferred(deferred);
    Deferred.doneUnsafe(deferred, Effect.andThen(Effect.yieldNow, Effect.succeed('computed')));
    expect(from[source].poll()).toBe(PENDING);
    expect(await wait(from)).toBe('computed');
    expect(from[source].poll()).toBe('computed');
  });

  test('leaves nothing on the Deferred when it loses', async () => {
    const deferred = Deferred.makeUnsafe<string>();
    const won = await select({ slow: sourceFromDeferred(deferred), fast: Promise.resolve(1) });
    expect(won.branch).toBe('fast');
    expect(deferred.resumes ?? []).toEqual([]);
  });

  test('is polled again by the next select after it has lost', async () => {
    const deferred = Deferred.makeUnsafe<string>();
    const from = sourceFromDeferred(deferred);
    expect((await select({ slow: from, fast: Promise.resolve(1) })).branch).toBe('fast');
    expect(from[source].poll()).toBe(PENDING);
    Deferred.doneUnsafe(deferred, Exit.succeed('value'));
    expect(from[source].poll()).toBe('value');
  });
});

describe('a Queue as a source', () => {
  test('returns its values in order, through poll, wait and selectEach', async () => {
    const from = queue<Cause.Done>(8);
    for (const n of [1, 2, 3]) offer(from, n);
    const jobs = sourceFromQueue(from);
    expect(jobs[source].poll()).toBe(1);
    expect(await wait(jobs)).toBe(2);
    Queue.endUnsafe(from);
    const seen: number[] = [];
    for await (const { value } of selectEach({ jobs })) seen.push(value as number);
    expect(seen).toEqual([3]);
  });

  test('wakes a waiter at an offer, and a branch that loses has taken nothing', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const lost = select({ jobs, now: Promise.resolve('now') });
    expect((await lost).branch).toBe('now');
    const won = select({ jobs, never: never() });
    offer(from, 1);
    expect((await won).value).toBe(1);
    expect(Queue.sizeUnsafe(from)).toBe(0);
    offer(from, 2);
    await macrotasks();
    expect(Queue.sizeUnsafe(from)).toBe(1);
  });

  test('shares one queue with the takers of Effect, one value each', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const got: string[] = [];
    const taker = (): Fiber.Fiber<void> =>
      Effect.runFork(Effect.map(Queue.take(from), (value) => void got.push(`taker ${value}`)));
    taker();
    void wait(jobs).then((value) => got.push(`waiting ${value}`));
    taker();
    for (const n of [1, 2, 3]) offer(from, n);
    await macrotasks();
    expect(got.filter((line) => line.startsWith('waiting'))).toHaveLength(1);
    expect(got.map((line) => line.at(-1)).sort()).toEqual(['1', '2', '3']);
  });

  test('gives each of two selects its own value, and loses none', async () => {
    const from = queue(8);
    for (const make of [() => sourceFromQueue(from), shared(sourceFromQueue(from))]) {
      const one = select({ jobs: make(), never: never() });
      const two = select({ jobs: make(), never: never() });
      offer(from, 1);
      expect((await one).value).toBe(1);
      expect(Queue.sizeUnsafe(from)).toBe(0);
      offer(from, 2);
      expect((await two).value).toBe(2);
      expect(Queue.sizeUnsafe(from)).toBe(0);
    }
  });

  test('passes a wake-up that its waiter cannot use to the next one, also to Effect', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const idle = waiter();
    jobs[source].park(idle);
    const waiting = wait(jobs);
    offer(from, 1);
    expect(await waiting).toBe(1);
    jobs[source].park(idle);
    const taker = Effect.runPromise(Queue.take(from));
    offer(from, 2);
    expect(await taker).toBe(2);
    expect(idle.woken).toBe(2);
  });

  test('wakes the next waiter only when a value is left for it', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const first = waiter(() => void jobs[source].poll());
    const second = waiter();
    jobs[source].park(first);
    jobs[source].park(second);
    offer(from, 1);
    await macrotasks();
    expect([first.woken, second.woken]).toEqual([1, 0]);
    jobs[source].unpark(second);
  });

  test('wakes a waiter again that parks again without taking, and delays no other', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const stubborn = waiter(() => {
      if (stubborn.woken < 5) jobs[source].park(stubborn);
    });
    jobs[source].park(stubborn);
    offer(from, 1);
    await macrotasks(10);
    expect(stubborn.woken).toBe(5);
    expect(jobs[source].poll()).toBe(1);
  });

  test('wakes waiters that parked during the round when a waiter offers while it is woken', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const got: number[] = [];
    const second = waiter(() => got.push(jobs[source].poll() as number));
    const first = waiter(() => {
      got.push(jobs[source].poll() as number);
      jobs[source].park(second);
      offer(from, 2);
    });
    jobs[source].park(first);
    offer(from, 1);
    await macrotasks(6);
    expect(got).toEqual([1, 2]);
  });

  test('keeps back pressure: a take lets one offer in', async () => {
    const from = queue(1);
    offer(from, 1);
    const offered = exitOf(Effect.runFork(Queue.offer(from, 2)));
    const jobs = sourceFromQueue(from);
    await macrotasks();
    expect(Queue.sizeUnsafe(from)).toBe(1);
    expect(jobs[source].poll()).toBe(1);
    expect(words(await offered)).toBe('success:true');
    expect(jobs[source].poll()).toBe(2);
  });

  test('passes values on without a buffer, offered before or after a waiter parks', async () => {
    const from = queue(0);
    const jobs = sourceFromQueue(from);
    const offers = [1, 2, 3].map((n) => exitOf(Effect.runFork(Queue.offer(from, n))));
    expect(jobs[source].poll()).toBe(1);
    const got = await Promise.all([wait(jobs), wait(jobs)]);
    expect(got).toEqual([2, 3]);
    const waiting = [wait(jobs), wait(jobs), wait(jobs)];
    offers.push(...[4, 5, 6].map((n) => exitOf(Effect.runFork(Queue.offer(from, n)))));
    expect(await Promise.all(waiting)).toEqual([4, 5, 6]);
    expect((await Promise.all(offers)).map(words)).toEqual(offers.map(() => 'success:true'));
  });

  test.each([
    ['ended', (from: Queue.Queue<number, Cause.Done | string>) => Effect.runSync(Queue.end(from))],
    ['shut down', (from: Queue.Queue<number, Cause.Done | string>) => Effect.runSync(Queue.shutdown(from))],
    ['interrupted', (from: Queue.Queue<number, Cause.Done | string>) => Effect.runSync(Queue.interrupt(from))],
  ])('throws ClosedError when the queue is %s, for present and later waiters', async (_, end) => {
    const from = queue<Cause.Done | string>(8);
    const jobs = sourceFromQueue(from);
    const waiting = [rejection(wait(jobs)), rejection(wait(jobs))];
    end(from);
    for (const error of await Promise.all(waiting)) expect(isClosedError(error)).toBe(true);
    expect(isClosedError(await rejection(wait(jobs)))).toBe(true);
  });

  test('is drained before it throws when the queue has failed', async () => {
    const from = queue<string>(8);
    offer(from, 1);
    Effect.runSync(Queue.fail(from, 'broken'));
    const jobs = sourceFromQueue(from);
    expect(await wait(jobs)).toBe(1);
    expect(await rejection(wait(jobs))).toBe('broken');
    const dead = queue<string>(8);
    const waiting = rejection(wait(sourceFromQueue(dead)));
    Effect.runSync(Queue.failCause(dead, Cause.die('defect')));
    expect(await waiting).toBe('defect');
  });

  test('leaves nothing on the queue while no waiter is parked', async () => {
    const from = queue(8);
    const jobs = sourceFromQueue(from);
    const one = waiter();
    jobs[source].park(one);
    expect(from.state._tag === 'Open' && from.state.takers.size).toBe(1);
    jobs[source].unpark(one);
    expect(from.state._tag === 'Open' && from.state.takers.size).toBe(0);
  });
});

describe('a subscription as a source', () => {
  test('returns every message, in order', async () => {
    const { subscription, publish } = await subscribed();
    const news = sourceFromSubscription(subscription);
    expect(news[source].poll()).toBe(PENDING);
    const first = wait(news);
    publish(1);
    publish(2);
    expect(await first).toBe(1);
    expect(await wait(news)).toBe(2);
    expect(news[source].poll()).toBe(PENDING);
  });

  test('is the same source for each call', async () => {
    const { subscription } = await subscribed();
    expect(sourceFromSubscription(subscription)).toBe(sourceFromSubscription(subscription));
  });

  test('takes nothing when it loses', async () => {
    const { subscription, publish } = await subscribed();
    const won = await select({ news: sourceFromSubscription(subscription), now: Promise.resolve(0) });
    expect(won.branch).toBe('now');
    publish(1);
    expect(await Effect.runPromise(PubSub.take(subscription))).toBe(1);
    publish(2);
    expect(await wait(sourceFromSubscription(subscription))).toBe(2);
  });

  test('gives each of several waiters its own message', async () => {
    const { pubsub, subscription } = await subscribed();
    const news = sourceFromSubscription(subscription);
    const waiting = Promise.all([wait(news), wait(news), wait(news)]);
    await Effect.runPromise(PubSub.publishAll(pubsub, [1, 2, 3, 4]));
    expect(await waiting).toEqual([1, 2, 3]);
    expect(news[source].poll()).toBe(4);
  });

  test('keeps a message that its waiter does not take for the next poll', async () => {
    const { subscription, publish } = await subscribed();
    const news = sourceFromSubscription(subscription);
    const idle = waiter();
    news[source].park(idle);
    publish(1);
    publish(2);
    expect(idle.woken).toBe(1);
    expect([news[source].poll(), news[source].poll()]).toEqual([1, 2]);
  });

  test('keeps the back pressure of a bounded PubSub', async () => {
    const { pubsub, subscription } = await subscribed(PubSub.bounded<number>(1));
    const news = sourceFromSubscription(subscription);
    const published = exitOf(Effect.runFork(PubSub.publishAll(pubsub, [1, 2, 3])));
    expect([news[source].poll(), news[source].poll(), news[source].poll()]).toEqual([1, 2, 3]);
    expect(words(await published)).toBe('success:true');
  });

  test('returns the messages that a PubSub replays first', async () => {
    const pubsub = Effect.runSync(PubSub.unbounded<number>({ replay: 2 }));
    for (const n of [1, 2, 3]) PubSub.publishUnsafe(pubsub, n);
    const scope = Scope.makeUnsafe();
    const subscription = Effect.runSync(Effect.provideService(PubSub.subscribe(pubsub), Scope.Scope, scope));
    const news = sourceFromSubscription(subscription);
    expect([await wait(news), await wait(news)]).toEqual([2, 3]);
  });

  test('throws ClosedError when it is closed or its PubSub is shut down', async () => {
    const one = await subscribed();
    const waiting = rejection(wait(sourceFromSubscription(one.subscription)));
    await one.close();
    expect(isClosedError(await waiting)).toBe(true);
    const two = await subscribed();
    const second = [1, 2].map(() => rejection(wait(sourceFromSubscription(two.subscription))));
    await Effect.runPromise(PubSub.shutdown(two.pubsub));
    for (const error of await Promise.all(second)) expect(isClosedError(error)).toBe(true);
    expect(isClosedError(await rejection(wait(sourceFromSubscription(two.subscription))))).toBe(true);
  });
});

describe('the opposite direction, with functions of Effect', () => {
  test('moves a value of a source into a Deferred', async () => {
    const from = Deferred.makeUnsafe<number>();
    const to = Deferred.makeUnsafe<number, unknown>();
    const fiber = Effect.runFork(Deferred.into(effectFromSource(sourceFromDeferred(from)), to));
    Deferred.doneUnsafe(from, Exit.succeed(7));
    expect(await runEffect(Deferred.await(to))).toBe(7);
    expect(words(await exitOf(fiber))).toBe('success:true');
  });
});

test('an interruption of a parked fiber takes nothing, and frees its place', async () => {
  const from = queue(8);
  const fiber = Effect.runFork(effectFromSource(sourceFromQueue(from)));
  await macrotask();
  await Effect.runPromise(Fiber.interrupt(fiber));
  expect(words(await exitOf(fiber))).toBe('interrupt');
  offer(from, 1);
  await macrotasks();
  expect(Queue.sizeUnsafe(from)).toBe(1);
});
