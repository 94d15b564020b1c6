// A million hand-overs across the border in all, in each direction, and what lives long on either side keeps none of them.
import { CancellationToken, type Source, source, wait } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import {
  acquireIn,
  effectFromSelect,
  effectFromSource,
  effectFromWork,
  openScope,
  runEffect,
  sourceFromDeferred,
  sourceFromQueue,
  sourceFromStream,
  sourceFromSubscription,
  streamFromChannel,
} from '@quiesce/effect';
import { scope } from '@quiesce/scope';
import { select } from '@quiesce/select';
import { Deferred, Effect, Exit, PubSub, Queue, Scope, Stream } from 'effect';
import { expect, test } from 'vitest';
import { bytesPerTurn, type Measure } from '../../../test/leak/leak.ts';

/** With the warm-up three times as many in each of twelve directions: a million in all. */
const turns = 28_000;
/** Of what waits for real turns of the event loop, or makes whole scopes. */
const few = { turns: 3_000, below: 8 };

test('fibers under a token that lives long', async () => {
  const token = new CancellationToken();
  const growth = await bytesPerTurn({ turns }, () => runEffect(Effect.succeed(1), { signal: token }));
  expect(growth).toBeLessThan(1);
  const waiting = await bytesPerTurn(few, () => runEffect(Effect.yieldNow, { signal: token }));
  expect(waiting).toBeLessThan(8);
});

test('promise code in one fiber that lives long', async () => {
  const work = effectFromWork(async (token) => token.isCancelled);
  expect(await inOneFiber(work)).toBeLessThan(1);
});

test('values from a channel to one fiber, as Effect and as stream', async () => {
  const [tx, rx] = channel<number>(1);
  const next = Effect.andThen(
    Effect.sync(() => tx.trySend(1)),
    effectFromSource(rx),
  );
  expect(await inOneFiber(next)).toBeLessThan(1);
  const stop = new CancellationToken();
  const first = effectFromSelect(() => ({ stop, rx }), { biased: true });
  expect(
    await inOneFiber(
      Effect.andThen(
        Effect.sync(() => tx.trySend(1)),
        first,
      ),
    ),
  ).toBeLessThan(1);
  const pulling = Stream.take(streamFromChannel(rx), 1);
  const collect = Effect.andThen(
    Effect.sync(() => tx.trySend(1)),
    Stream.runDrain(pulling),
  );
  expect(await inOneFiber(collect)).toBeLessThan(1);
});

test('interruptions of fibers that wait on a channel, which keeps none of them', async () => {
  const [, rx] = channel<number>(1);
  const growth = await bytesPerTurn({ turns }, () => {
    Effect.runFork(effectFromSource(rx)).interruptUnsafe();
  });
  expect(growth).toBeLessThan(1);
});

test('values from a queue, which keeps no trace of branches that lost', async () => {
  const queue = Effect.runSync(Queue.unbounded<number>());
  const jobs = sourceFromQueue(queue);
  expect(await bytesPerTurn({ turns }, () => parkAndLeave(jobs))).toBeLessThan(1);
  const taken = await bytesPerTurn({ turns }, () => {
    Queue.offerUnsafe(queue, 1);
    return jobs[source].poll();
  });
  expect(taken).toBeLessThan(1);
  expect(queue.state._tag === 'Open' && queue.state.takers.size).toBe(0);
});

test('messages from a subscription, which keeps no trace of branches that lost', async () => {
  const pubsub = Effect.runSync(PubSub.unbounded<number>());
  const owner = Scope.makeUnsafe();
  const subscription = Effect.runSync(Effect.provideService(PubSub.subscribe(pubsub), Scope.Scope, owner));
  const news = sourceFromSubscription(subscription);
  expect(await bytesPerTurn({ turns }, () => parkAndLeave(news))).toBeLessThan(1);
  const taken = await bytesPerTurn({ turns }, () => {
    const waiting = wait(news);
    PubSub.publishUnsafe(pubsub, 1);
    return waiting;
  });
  expect(taken).toBeLessThan(1);
  expect(subscription.pollers.length).toBe(0);
  await Effect.runPromise(Scope.close(owner, Exit.void));
});

test('races over a Deferred that never comes', async () => {
  const deferred = Deferred.makeUnsafe<number>();
  const never = sourceFromDeferred(deferred);
  const growth = await bytesPerTurn({ turns }, () => select({ never, now: Promise.resolve(1) }));
  expect(growth).toBeLessThan(1);
  expect(deferred.resumes ?? []).toEqual([]);
});

test('values of a stream that never ends', async () => {
  await using numbers = sourceFromStream(Stream.forever(Stream.make(1)));
  expect(await bytesPerTurn({ turns }, () => wait(numbers))).toBeLessThan(1);
});

test('resources of scopes that end, below a token and in a fiber that live long', async () => {
  const token = new CancellationToken();
  const resource = Effect.acquireRelease(Effect.succeed(1), () => Effect.void);
  const theirs = await bytesPerTurn(few, () =>
    scope(async (s) => void (await acquireIn(s, resource)), { signal: token }),
  );
  expect(theirs).toBeLessThan(8);
  const ours = Effect.scoped(Effect.map(openScope(), (s) => s.defer(() => {})));
  expect(await inOneFiber(ours, few)).toBeLessThan(8);
});

/** Growth of a fiber that runs an Effect again and again. */
function inOneFiber(work: Effect.Effect<unknown, unknown>, measure: Measure = { turns }): Promise<number> {
  const block = 1_000;
  const loop = Effect.forEach(Array.from({ length: block }), () => work, { discard: true });
  return bytesPerTurn({ ...measure, turns: measure.turns / block }, () => Effect.runPromise(loop)).then(
    (bytes) => bytes / block,
  );
}

/** As a branch that loses. */
function parkAndLeave(from: Source<unknown>): void {
  const waiter = { next: undefined, prev: undefined, owner: undefined, wake() {} };
  from[source].park(waiter);
  from[source].unpark(waiter);
}
