// Attempts of a hostile reviewer.
import { CancellationToken, isClosedError, PENDING, source, type Waiter, wait } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel } from '@quiesce/channel';
import {
  acquireIn,
  type CauseError,
  causeFromError,
  effectClock,
  effectFromSource,
  effectFromWork,
  errorFromCause,
  runEffect,
  sourceFromQueue,
  sourceFromStream,
  sourceFromSubscription,
} from '@quiesce/effect';
import { launch } from '@quiesce/effect/node';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { Shutdown } from '@quiesce/shutdown';
import { Cause, Effect, Exit, Fiber, Layer, PubSub, Queue, Scope, Stream } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, rejection, run, uncaughtIn, words } from './vocabulary.ts';

describe('errors', () => {
  test('count as one failure when their properties cannot be read', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const thrower = {
      get cause() {
        throw new Error('no');
      },
    };
    for (const error of [proxy, thrower, null, undefined, 'text']) {
      const cause = causeFromError(error);
      expect(cause.reasons).toHaveLength(1);
      expect(errorFromCause(cause)).toBe(error);
      const exit = await run(effectFromWork(() => Promise.reject(error)));
      expect(Exit.isFailure(exit) && errorFromCause(exit.cause)).toBe(error);
      // Effect compares the reasons that it combines, and cannot read these: see docs/design.md.
      if (error === proxy || error === thrower) continue;
      const stopping = Effect.runFork(
        effectFromWork(async (own) => {
          await own.cancelled();
          throw error;
        }),
      );
      stopping.interruptUnsafe();
      const stopped = await exitOf(stopping);
      expect(Exit.isFailure(stopped) && stopped.cause.reasons.map(({ _tag }) => _tag)).toEqual(['Interrupt', 'Die']);
    }
  });

  test('survive conversion in both directions, defects and failures apart', async () => {
    const cause = Cause.combine(Cause.fail('a'), Cause.combine(Cause.die('b'), Cause.interrupt(1)));
    const error = errorFromCause(cause) as CauseError;
    expect(words(causeFromError(error))).toBe('fail:a, die:b, interrupt');
    expect(await rejection(runEffect(effectFromWork(() => runEffect(Effect.failCause(cause)))))).toMatchObject({
      errors: ['a', 'b'],
    });
  });
});

describe('interruption', () => {
  test('is awaited at each of three borders, with one reason', async () => {
    const log: unknown[] = [];
    const inner = effectFromWork(async (token) => {
      await token.cancelled();
      await macrotasks();
      log.push(['work', token.reason]);
    });
    const middle = effectFromWork(async (token) => {
      await runEffect(
        Effect.ensuring(
          inner,
          Effect.sync(() => void log.push('inner finalizer')),
        ),
        { signal: token },
      );
    });
    const token = new CancellationToken();
    const running = rejection(
      runEffect(
        Effect.ensuring(
          middle,
          Effect.sync(() => void log.push('outer finalizer')),
        ),
        { signal: token },
      ),
    );
    token.cancel('one');
    expect(await running).toBe('one');
    expect(log).toEqual([['work', 'one'], 'inner finalizer', 'outer finalizer']);
  });

  test('waits for the work when Effect.timeout causes it, and leaves the channel of the loser of a race alone', async () => {
    const [tx, rx] = channel<number>(4);
    const gate = deferred();
    const log: string[] = [];
    const stubborn = effectFromWork(async (token) => {
      await token.cancelled();
      await gate.promise;
      log.push('stopped');
    });
    const raced = exitOf(Effect.runFork(Effect.raceFirst(stubborn, effectFromSource(rx))));
    const other = Effect.runFork(
      Effect.raceFirst(effectFromSource(rx), Effect.andThen(Effect.yieldNow, Effect.succeed('quick'))),
    );
    await tx.send(1);
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    expect(words(await raced)).toBe('success:1');
    expect(words(await exitOf(other))).toBe('success:quick');
    await tx.send(2);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 2 });
  });

  test('carries its reason to a fiber that joins another one', async () => {
    const token = new CancellationToken();
    const work = Effect.flatMap(Effect.forkChild(Effect.never), (child) => Fiber.join(child));
    const both = Effect.all([work, Effect.never], { concurrency: 'unbounded' });
    const running = rejection(runEffect(both, { signal: token }));
    await macrotasks();
    token.cancel('why');
    expect(await running).toBe('why');
  });

  test('ends a thousand fibers on one token, each with a cleanup', async () => {
    const token = new CancellationToken();
    let cleaned = 0;
    const work = Effect.ensuring(
      Effect.never,
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => void cleaned++),
      ),
    );
    const all = Array.from({ length: 1_000 }, () => rejection(runEffect(work, { signal: token })));
    token.cancel('all');
    expect(new Set(await Promise.all(all))).toEqual(new Set(['all']));
    expect(cleaned).toBe(1_000);
  });
});

describe('sources', () => {
  test('lose no message when a publisher takes in the step in which a take resumes it', async () => {
    const pubsub = Effect.runSync(PubSub.bounded<number>(1));
    const owner = Scope.makeUnsafe();
    const subscription = Effect.runSync(Effect.provideService(PubSub.subscribe(pubsub), Scope.Scope, owner));
    const news = sourceFromSubscription(subscription);
    const idle: Waiter = { next: undefined, prev: undefined, owner: undefined, wake() {} };
    const publishing = Effect.gen(function* () {
      yield* PubSub.publish(pubsub, 1);
      yield* PubSub.publish(pubsub, 2);
      // The poll below is running at this point.
      news[source].park(idle);
      yield* PubSub.publish(pubsub, 3);
    });
    const published = exitOf(Effect.runFork(publishing));
    const got: unknown[] = [];
    for (let i = 0; i < 6; i++) {
      const value = news[source].poll();
      if (value !== PENDING) got.push(value);
      await macrotasks();
    }
    expect(words(await published)).toBe('success:undefined');
    expect(got.sort()).toEqual([1, 2, 3]);
  });

  test('end every waiter when a queue is shut down while its waiters are woken', async () => {
    const queue = Effect.runSync(Queue.unbounded<number>());
    const jobs = sourceFromQueue(queue);
    const first = wait(jobs).then((value) => {
      Queue.shutdownUnsafe(queue);
      return value;
    });
    const others = [rejection(wait(jobs)), rejection(wait(jobs))];
    Queue.offerUnsafe(queue, 1);
    expect(await first).toBe(1);
    for (const error of await Promise.all(others)) expect(isClosedError(error)).toBe(true);
  });

  test('keep no waiter that leaves while the scheduler is about to poll again', async () => {
    const queue = Effect.runSync(Queue.unbounded<number>());
    const jobs = sourceFromQueue(queue);
    const stubborn: Waiter = {
      next: undefined,
      prev: undefined,
      owner: undefined,
      wake() {
        jobs[source].park(stubborn);
      },
    };
    jobs[source].park(stubborn);
    Queue.offerUnsafe(queue, 1);
    await macrotasks(1);
    jobs[source].unpark(stubborn);
    await macrotasks();
    expect(stubborn.owner).toBe(undefined);
    expect(queue.state._tag === 'Open' && queue.state.takers.size).toBe(0);
    expect(jobs[source].poll()).toBe(1);
  });

  test('give each of two selects over two queues its own value when both are offered in one step', async () => {
    const [a, b] = [Effect.runSync(Queue.unbounded<string>()), Effect.runSync(Queue.unbounded<string>())];
    const branches = () => ({ a: sourceFromQueue(a), b: sourceFromQueue(b) });
    const both = [select(branches()), select(branches())];
    Queue.offerUnsafe(a, 'a');
    Queue.offerUnsafe(b, 'b');
    const got = (await Promise.all(both)).map(({ value }) => value);
    expect(got.sort()).toEqual(['a', 'b']);
    expect([Queue.sizeUnsafe(a), Queue.sizeUnsafe(b)]).toEqual([0, 0]);
  });

  test('lose and duplicate no value under random takes, leaves, offers and interruptions', async () => {
    const queue = Effect.runSync(Queue.bounded<number>(3));
    const jobs = sourceFromQueue(queue);
    let state = 12_345;
    const random = (n: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % n;
    };
    const got: number[] = [];
    const fibers: Fiber.Fiber<unknown, unknown>[] = [];
    let offered = 0;
    for (let i = 0; i < 3_000; i++) {
      const act = random(6);
      if (act === 0) fibers.push(Effect.runFork(Effect.map(effectFromSource(jobs), (value) => got.push(value))));
      else if (act === 1) fibers.push(Effect.runFork(Effect.map(Queue.take(queue), (value) => got.push(value))));
      else if (act === 2 && fibers.length > 0) fibers[random(fibers.length)]?.interruptUnsafe();
      else if (act === 3) {
        const value = jobs[source].poll();
        if (value !== PENDING) got.push(value);
      } else if (act === 4) {
        if (Queue.offerUnsafe(queue, offered)) offered++;
      } else await macrotasks(1);
    }
    for (const fiber of fibers) fiber.interruptUnsafe();
    await macrotasks();
    for (let value = jobs[source].poll(); value !== PENDING; value = jobs[source].poll()) got.push(value);
    expect(offered).toBeGreaterThan(300);
    expect(got.sort((x, y) => x - y)).toEqual(Array.from({ length: offered }, (_, i) => i));
  });
});

describe('a stream as a source', () => {
  test('wakes a waiter that it parks on itself while it is pulled', async () => {
    let woken = 0;
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => void woken++ };
    const pulling = Effect.sync(() => {
      from[source].park(waiter);
      return [1, 2];
    });
    const from: ReturnType<typeof sourceFromStream<number, never>> = sourceFromStream(
      Stream.fromIterableEffect(pulling),
    );
    expect(from[source].poll()).toBe(1);
    await macrotasks(1);
    expect(woken).toBe(1);
    expect(from[source].poll()).toBe(2);
    await from.dispose();
  });

  test('neither pulls twice nor hangs when it polls or closes itself', async () => {
    const seen: unknown[] = [];
    const from: ReturnType<typeof sourceFromStream<number, never>> = sourceFromStream(
      Stream.tap(Stream.range(1, 2), () => Effect.sync(() => void seen.push(from[source].poll()))),
    );
    expect(await wait(from)).toBe(1);
    expect(seen[0]).toBe(PENDING);
    await from.dispose();
    let closing: Promise<void> | undefined;
    const closer: ReturnType<typeof sourceFromStream<number, never>> = sourceFromStream(
      Stream.fromEffect(
        Effect.sync(() => {
          closing = closer.dispose();
          return 1;
        }),
      ),
    );
    expect(() => closer[source].poll()).toThrow('has ended');
    await closing;
    expect(() => closer[source].poll()).toThrow('has ended');
  });
});

describe('scopes', () => {
  test('report every finalizer that fails after the scope has given up to the uncaught handler', async () => {
    const clock = new VirtualClock();
    const gate = deferred();
    const uncaught = await uncaughtIn(async () => {
      const slow = Effect.andThen(
        Effect.addFinalizer(() => Effect.die('second')),
        Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.promise(() => gate.promise),
            Effect.die('first'),
          ),
        ),
      );
      const running = rejection(scope(async (s) => void (await acquireIn(s, slow)), { cleanupTimeout: 10, clock }));
      await macrotasks();
      await clock.advance(10);
      expect(await running).toMatchObject({ name: 'CleanupTimeoutError' });
      gate.resolve();
      await macrotasks(6);
    });
    expect(uncaught).toHaveLength(1);
    expect(((uncaught[0] as Error).cause as CauseError).errors).toEqual(['first', 'second']);
  });

  test('are released from the inside out when both kinds are nested three deep', async () => {
    const log: string[] = [];
    const finalizer = (name: string) => Effect.addFinalizer(() => Effect.sync(() => void log.push(name)));
    const inner = effectFromWork((signal) =>
      scope(
        async (s) => {
          s.defer(() => void log.push('our inner'));
          await acquireIn(s, finalizer('their innermost'));
        },
        { signal },
      ),
    );
    await scope(async (s) => {
      s.defer(() => void log.push('our outer'));
      await acquireIn(s, Effect.andThen(finalizer('their outer'), inner));
    });
    expect(log).toEqual(['their innermost', 'our inner', 'their outer', 'our outer']);
  });
});

describe('a shutdown', () => {
  test('waits for the finalizers of layers when it begins while they are built, also without runMain', async () => {
    const shutdown = new Shutdown();
    const gate = deferred();
    const log: string[] = [];
    const slow = Layer.effectDiscard(
      Effect.andThen(
        Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.promise(() => gate.promise),
            Effect.sync(() => void log.push('closed')),
          ),
        ),
        Effect.never,
      ),
    );
    const launching = rejection(launch(shutdown, slow));
    await macrotasks();
    shutdown.request('early');
    const stopped = shutdown.stopped().then(({ hooks }) => log.push(`stopped: ${hooks.map(({ outcome }) => outcome)}`));
    await macrotasks(10);
    expect(log).toEqual([]);
    gate.resolve();
    expect(await launching).toBe('early');
    await stopped;
    expect(log).toEqual(['closed', 'stopped: done']);
  });
});

test("a timer of Effect's clock that throws is reported", async () => {
  const uncaught = await uncaughtIn(async () => {
    const clock = await runEffect(effectClock);
    const fail = (): never => {
      throw new Error('in a timer');
    };
    clock.setTimer(0, fail, { ref: true });
    await macrotasks();
    await sleep(1, { clock });
  });
  expect(uncaught).toMatchObject([{ message: 'in a timer' }]);
});
