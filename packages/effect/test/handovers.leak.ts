// Hand-overs between the libraries, in both directions, again and again. Long-lived objects on either side must retain none of them.
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

const turns = 28_000;
/** For waits on real iterations of the event loop, and for whole scopes. */
const few = { turns: 3_000, below: 8 };

test('a long-lived token retains nothing of the fibers that ran with it', async () => {
  const token = new CancellationToken();
  const growth = await bytesPerTurn({ turns }, () => runEffect(Effect.succeed(1), { signal: token }));
  expect(growth).toBeLessThan(1);
  const waiting = await bytesPerTurn(few, () => runEffect(Effect.yieldNow, { signal: token }));
  expect(waiting).toBeLessThan(8);
});

test('a long-lived fiber retains nothing of the promise code that it ran', async () => {
  const work = effectFromWork(async (token) => token.isCancelled);
  expect(await inOneFiber(work)).toBeLessThan(1);
});

test('a channel and a fiber retain nothing of the values between them, as Effect and as stream', async () => {
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

test('a channel retains nothing of interrupted fibers that waited on it', async () => {
  const [, rx] = channel<number>(1);
  const growth = await bytesPerTurn({ turns }, () => {
    Effect.runFork(effectFromSource(rx)).interruptUnsafe();
  });
  expect(growth).toBeLessThan(1);
});

test('a queue retains nothing of its values and of branches that lost', async () => {
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

test('a subscription retains nothing of its messages and of branches that lost', async () => {
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

test('a Deferred that never completes retains nothing of races over it', async () => {
  const deferred = Deferred.makeUnsafe<number>();
  const never = sourceFromDeferred(deferred);
  const growth = await bytesPerTurn({ turns }, () => select({ never, now: Promise.resolve(1) }));
  expect(growth).toBeLessThan(1);
  expect(deferred.resumes ?? []).toEqual([]);
});

test('an endless stream retains nothing of its values', async () => {
  await using numbers = sourceFromStream(Stream.forever(Stream.make(1)));
  expect(await bytesPerTurn({ turns }, () => wait(numbers))).toBeLessThan(1);
});

test('a long-lived token and a long-lived fiber retain nothing of the resources of ended scopes', async () => {
  const token = new CancellationToken();
  const resource = Effect.acquireRelease(Effect.succeed(1), () => Effect.void);
  const acquired = await bytesPerTurn(few, () =>
    scope(async (s) => void (await acquireIn(s, resource)), { signal: token }),
  );
  expect(acquired).toBeLessThan(8);
  const opened = Effect.scoped(Effect.map(openScope(), (s) => s.defer(() => {})));
  expect(await inOneFiber(opened, few)).toBeLessThan(8);
});

/** Measures the growth of a fiber that runs an Effect again and again. */
function inOneFiber(work: Effect.Effect<unknown, unknown>, measure: Measure = { turns }): Promise<number> {
  const block = 1_000;
  const loop = Effect.forEach(Array.from({ length: block }), () => work, { discard: true });
  const { turns, below = 1 } = measure;
  return bytesPerTurn({ turns: turns / block, below: below * block }, () => Effect.runPromise(loop)).then(
    (bytes) => bytes / block,
  );
}

/** Uses a source as a branch that loses. */
function parkAndLeave(from: Source<unknown>): void {
  const waiter = { next: undefined, prev: undefined, owner: undefined, wake() {} };
  from[source].park(waiter);
  from[source].unpark(waiter);
}
