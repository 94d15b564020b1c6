import { broadcast, LaggedError } from '@quiesce/broadcast-channel';
import { isClosedError, PENDING, source, type Waiter, wait } from '@quiesce/cancellation-token';
import { channel, watch } from '@quiesce/channel';
import {
  effectFromWork,
  runEffect,
  sourceFromStream,
  streamFromBroadcast,
  streamFromChannel,
  streamFromSource,
} from '@quiesce/effect';
import { select, selectEach } from '@quiesce/select';
import { type Cause, Context, Effect, Fiber, Queue, Stream } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, rejection, run, words } from './vocabulary.ts';

describe('a receiver as a stream', () => {
  test('emits until the channel is closed and drained', async () => {
    const [tx, rx] = channel<number>(4);
    const collected = runEffect(Stream.runCollect(streamFromChannel(rx)));
    for (const n of [1, 2, 3]) await tx.send(n);
    tx.close();
    expect(await collected).toEqual([1, 2, 3]);
  });

  test('pulls one value at a time, so that senders wait while it is not pulled', async () => {
    const [tx, rx] = channel<number>(1);
    const gate = deferred();
    const seen: number[] = [];
    const slow = Stream.runForEach(streamFromChannel(rx), (n) => {
      seen.push(n);
      return Effect.promise(() => gate.promise);
    });
    const fiber = Effect.runFork(slow);
    let sent = 0;
    const sending = (async () => {
      for (const n of [1, 2, 3, 4]) {
        await tx.send(n);
        sent++;
      }
    })();
    await macrotasks();
    expect([seen, sent]).toEqual([[1], 2]);
    gate.resolve();
    await sending;
    tx.close();
    expect(words(await exitOf(fiber))).toBe('success:undefined');
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test('has taken the values that it emitted when it is left, and continues where it stopped', async () => {
    const [tx, rx] = channel<number>(8);
    for (const n of [1, 2, 3, 4]) await tx.send(n);
    const stream = streamFromChannel(rx);
    expect(await runEffect(Stream.runCollect(Stream.take(stream, 2)))).toEqual([1, 2]);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 3 });
    tx.close();
    expect(await runEffect(Stream.runCollect(stream))).toEqual([4]);
  });

  test('takes nothing when it is interrupted while it waits', async () => {
    const [tx, rx] = channel<number>(8);
    const fiber = Effect.runFork(Stream.runDrain(streamFromChannel(rx)));
    await macrotasks();
    await Effect.runPromise(Fiber.interrupt(fiber));
    await tx.send(1);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
  });

  test('fails with a typed error once for each gap, and continues at the oldest value when it is retried', async () => {
    const [tx, rx] = broadcast<number>(2);
    for (const n of [1, 2, 3, 4, 5]) tx.send(n);
    tx.close();
    const stream = streamFromBroadcast(rx);
    const failed = await Effect.runPromise(Effect.flip(Stream.runCollect(stream)));
    expect(failed).toBeInstanceOf(LaggedError);
    expect(failed.missedCount).toBe(3);
    expect(await runEffect(Stream.runCollect(stream))).toEqual([4, 5]);
  });

  test('ends at ClosedError for every kind of source, and fails with other errors, as `catch` types them', async () => {
    const [tx, rx] = watch(0);
    tx.send(1);
    tx.close();
    expect(await runEffect(Stream.runCollect(streamFromSource(rx)))).toEqual([1]);
    const failing = {
      [source]: {
        poll: () => {
          throw new Error('broken');
        },
        park: () => {},
        unpark: () => {},
      },
    };
    const typed = streamFromSource(failing, { catch: (error) => `typed ${(error as Error).message}` });
    expect(words(await run(Stream.runDrain(typed)))).toBe('fail:typed broken');
  });

  test('keeps back pressure into a queue and back, and from a stream into a sender', async () => {
    const [tx, rx] = channel<number>(8);
    for (const n of [1, 2, 3]) await tx.send(n);
    tx.close();
    const [out, back] = channel<number>(1);
    const program = Effect.gen(function* () {
      const queue = yield* Queue.bounded<number, Cause.Done>(1);
      yield* Effect.forkChild(Stream.runIntoQueue(streamFromChannel(rx), queue));
      yield* Stream.runForEach(Stream.fromQueue(queue), (n) =>
        effectFromWork((token) => out.send(n * 10, { signal: token })),
      );
      out.close();
    });
    const running = runEffect(program);
    const seen: number[] = [];
    for await (const n of back) seen.push(n);
    await running;
    expect(seen).toEqual([10, 20, 30]);
  });

  test('throws for a value that is not a source, before it runs', () => {
    expect(() => streamFromSource({} as never)).toThrow(TypeError);
    expect(() => streamFromChannel({} as never)).toThrow(TypeError);
    expect(() => streamFromBroadcast({} as never)).toThrow(TypeError);
  });
});

describe('a stream as a source', () => {
  test('does not start before the first poll, and is never more than one chunk ahead', async () => {
    const pulled: number[] = [];
    const stream = Stream.tap(Stream.range(1, 4), (n) => Effect.sync(() => void pulled.push(n)));
    await using from = sourceFromStream(Stream.rechunk(stream, 1));
    expect(pulled).toEqual([]);
    expect(await wait(from)).toBe(1);
    await macrotasks();
    expect(pulled.length).toBeLessThanOrEqual(1);
    expect([await wait(from), await wait(from), await wait(from)]).toEqual([2, 3, 4]);
    expect(isClosedError(await rejection(wait(from)))).toBe(true);
  });

  test('keeps a pulled value for a branch that lost', async () => {
    const gate = deferred<number>();
    await using from = sourceFromStream(Stream.fromEffect(Effect.promise(() => gate.promise)));
    expect((await select({ from, now: Promise.resolve(0) })).branch).toBe('now');
    gate.resolve(7);
    await macrotasks();
    expect(from[source].poll()).toBe(7);
    expect(() => from[source].poll()).toThrow('has ended');
  });

  test('wakes several waiters, one value each, also for streams that are always ready', async () => {
    await using from = sourceFromStream(Stream.rechunk(Stream.range(1, 3), 1));
    expect(await Promise.all([wait(from), wait(from), wait(from)])).toEqual([1, 2, 3]);
    const gate = deferred();
    await using late = sourceFromStream(
      Stream.concat(Stream.fromEffectDrain(Effect.promise(() => gate.promise)), Stream.rechunk(Stream.range(1, 3), 1)),
    );
    const waiting = Promise.all([wait(late), wait(late), wait(late)]);
    await macrotasks();
    gate.resolve();
    expect(await waiting).toEqual([1, 2, 3]);
  });

  test('wakes a waiter that parks while others are woken, when a value is left for it', async () => {
    const gate = deferred();
    const gated = Stream.fromEffectDrain(Effect.promise(() => gate.promise));
    await using from = sourceFromStream(Stream.concat(gated, Stream.make(1, 2)));
    const got: unknown[] = [];
    const waiter = (wake: () => void): Waiter => ({ next: undefined, prev: undefined, owner: undefined, wake });
    const second = waiter(() => got.push(from[source].poll()));
    const first = waiter(() => {
      from[source].park(second);
      got.push(from[source].poll());
    });
    from[source].park(first);
    gate.resolve();
    await macrotasks();
    expect(got).toEqual([1, 2]);
  });

  test('returns no pulled value after it is closed', async () => {
    const from = sourceFromStream(Stream.make(1, 2, 3));
    expect(await wait(from)).toBe(1);
    await from.dispose();
    expect(() => from[source].poll()).toThrow('has ended');
  });

  test('ends a selectEach together with the stream', async () => {
    await using numbers = sourceFromStream(Stream.make(1, 2, 3));
    const seen: number[] = [];
    for await (const { value } of selectEach({ numbers })) seen.push(value);
    expect(seen).toEqual([1, 2, 3]);
  });

  test('fails once and is closed afterwards; its finalizers have run before', async () => {
    const log: string[] = [];
    const gate = deferred();
    const finalizer = Effect.andThen(
      Effect.promise(() => gate.promise),
      Effect.sync(() => void log.push('finalized')),
    );
    const stream = Stream.ensuring(Stream.concat(Stream.make(1), Stream.fail('broken')), finalizer);
    const from = sourceFromStream(stream);
    expect(await wait(from)).toBe(1);
    const failed = rejection(wait(from)).then((error) => void log.push(String(error)));
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await failed;
    expect(log).toEqual(['finalized', 'broken']);
    expect(isClosedError(await rejection(wait(from)))).toBe(true);
    await from.dispose();
  });

  test('throws its defects, and the failures of finalizers at its end', async () => {
    const dead = sourceFromStream(Stream.die('defect'));
    expect(await rejection(wait(dead))).toBe('defect');
    const ending = sourceFromStream(Stream.ensuring(Stream.make(1), Effect.die('finalizer')));
    expect(await wait(ending)).toBe(1);
    expect(await rejection(wait(ending))).toBe('finalizer');
    expect(isClosedError(await rejection(wait(ending)))).toBe(true);
  });

  test('interrupts the pull on close, awaits the finalizers, and ends the waiters', async () => {
    const gate = deferred();
    const log: string[] = [];
    const cleanup = Effect.andThen(
      Effect.promise(() => gate.promise),
      Effect.sync(() => void log.push('finalized')),
    );
    const from = sourceFromStream(Stream.ensuring(Stream.never, cleanup));
    const waiting = rejection(wait(from)).then((error) => void log.push(String(isClosedError(error))));
    const closing = from.dispose().then(() => void log.push('closed'));
    expect(from.dispose()).toBe(from.dispose());
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await Promise.all([waiting, closing]);
    expect(log[0]).toBe('finalized');
    expect(log.slice(1).sort()).toEqual(['closed', 'true']);
  });

  test('rejects close with the failure of a finalizer, and with a failure that was not thrown yet', async () => {
    const one = sourceFromStream(Stream.ensuring(Stream.never, Effect.die('finalizer')));
    expect(one[source].poll()).toBe(PENDING);
    expect(await rejection(one.dispose())).toBe('finalizer');
    const idle = sourceFromStream(Stream.ensuring(Stream.concat(Stream.make(1), Stream.never), Effect.die('idle')));
    expect(await wait(idle)).toBe(1);
    expect(await rejection(idle.dispose())).toBe('idle');
    const gate = deferred();
    const two = sourceFromStream(
      Stream.fromEffect(
        Effect.andThen(
          Effect.promise(() => gate.promise),
          Effect.fail('unseen'),
        ),
      ),
    );
    expect(two[source].poll()).toBe(PENDING);
    gate.resolve();
    await macrotasks();
    expect(await rejection(two.dispose())).toBe('unseen');
    await sourceFromStream(Stream.never).dispose();
  });

  test('starts nothing when it is closed before it ran', async () => {
    let started = false;
    const from = sourceFromStream(Stream.fromEffect(Effect.sync(() => (started = true))));
    await from.dispose();
    expect(() => from[source].poll()).toThrow('has ended');
    expect(started).toBe(false);
  });

  test('awaits an uninterruptible pull on close', async () => {
    const gate = deferred();
    const log: string[] = [];
    const stream = Stream.fromEffect(Effect.uninterruptible(Effect.promise(() => gate.promise)));
    const from = sourceFromStream(
      Stream.ensuring(
        stream,
        Effect.sync(() => void log.push('finalized')),
      ),
    );
    expect(from[source].poll()).toBe(PENDING);
    const closing = from.dispose().then(() => log.push('closed'));
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await closing;
    expect(log).toEqual(['finalized', 'closed']);
  });

  test('provides the given services', async () => {
    const Name = Context.Service<{ readonly name: string }>('Name');
    await using from = sourceFromStream(Stream.fromEffect(Effect.map(Name, ({ name }) => name)), {
      context: Context.make(Name, { name: 'here' }),
    });
    expect(await wait(from)).toBe('here');
  });
});
