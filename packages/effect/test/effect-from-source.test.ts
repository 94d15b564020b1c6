import { broadcast } from '@quiesce/broadcast-channel';
import {
  CancellationToken,
  type ClosedError,
  isClosedError,
  PENDING,
  type Source,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel, Mutex, oneshot, type Receiver, Semaphore } from '@quiesce/channel';
import { effectFromSelect, effectFromSource, runEffect, streamFromChannel } from '@quiesce/effect';
import { match, sleep } from '@quiesce/select';
import { Effect, Exit, type Fiber, Stream } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, run, uncaughtErrorsIn, words } from './vocabulary.ts';

/** Makes a source with the protocol of a test. */
function scripted<T>(poll: () => T | typeof PENDING, park: (waiter: Waiter) => void = () => {}) {
  const parked = new Set<Waiter>();
  const protocol = {
    poll,
    park: (waiter: Waiter) => {
      parked.add(waiter);
      park(waiter);
    },
    unpark: (waiter: Waiter) => void parked.delete(waiter),
  };
  const wake = (): void => {
    for (const waiter of [...parked]) {
      parked.delete(waiter);
      waiter.wake();
    }
  };
  return { from: { [source]: protocol } satisfies Source<T>, parked, wake };
}

describe('effectFromSource', () => {
  test('takes a ready value at once, and waits for one that is pending', async () => {
    const [tx, rx] = channel<number>(4);
    await tx.send(1);
    expect(words(await run(effectFromSource(rx)))).toBe('success:1');
    const fiber = Effect.runFork(effectFromSource(rx));
    await tx.send(2);
    // Within the call of send, synchronously.
    expect(fiber.pollUnsafe()).toEqual(Exit.succeed(2));
  });

  test('fails with the error of the poll, as `catch` types it', async () => {
    const [tx, rx] = channel<number>(4);
    tx.close();
    const failed = await Effect.runPromise(Effect.flip(effectFromSource(rx)));
    expect(isClosedError(failed)).toBe(true);
    const typed = effectFromSource(rx, { catch: (error) => (error as ClosedError).code });
    expect(await Effect.runPromise(Effect.flip(typed))).toBe('ERR_CLOSED');
  });

  test('succeeds with the reason of a token, the time of a timer, a permit, a lock, or a value', async () => {
    const token = new CancellationToken();
    const waiting = run(effectFromSource(token));
    token.cancel('why');
    expect(words(await waiting)).toBe('success:why');
    const clock = new VirtualClock();
    const slept = run(effectFromSource(sleep(50, { clock })));
    await clock.advance(50);
    expect(Exit.isSuccess(await slept)).toBe(true);
    const permits = new Semaphore(1);
    const permit = await runEffect(effectFromSource(permits.acquire()));
    expect(permits.tryAcquire().ok).toBe(false);
    permit.release();
    const lock = new Mutex();
    (await runEffect(effectFromSource(lock.acquire()))).release();
    const [reply, answer] = oneshot<number>();
    reply.send(42);
    expect(words(await run(effectFromSource(answer)))).toBe('success:42');
  });

  test('takes nothing when it is interrupted, and passes its place to the next waiter', async () => {
    const [tx, rx] = channel<number>(4);
    const first = Effect.runFork(effectFromSource(rx));
    const second = Effect.runFork(effectFromSource(rx));
    first.interruptUnsafe();
    await tx.send(1);
    expect(words(await exitOf(first))).toBe('interrupt');
    expect(words(await exitOf(second))).toBe('success:1');
  });

  test('leaves the value to itself or to the channel when it is interrupted in the step that brings the value', async () => {
    const [tx, rx] = channel<number>(4);
    const before = Effect.runFork(effectFromSource(rx));
    before.interruptUnsafe();
    await tx.send(1);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
    const got: number[] = [];
    const after = Effect.runFork(Effect.map(effectFromSource(rx), (value) => void got.push(value)));
    const sent = tx.send(2);
    after.interruptUnsafe();
    await sent;
    expect(got).toEqual([2]);
    expect(rx.tryRecv()).toEqual({ ok: false, why: 'empty' });
  });

  test('has every value that the channel has lost when it is interrupted where the scheduler makes a busy fiber yield', async () => {
    const count = 2_500;
    const loops = (from: Receiver<number>, take: (value: number) => void): Effect.Effect<unknown, unknown>[] => [
      Effect.gen(function* () {
        for (;;) take(yield* effectFromSource(from));
      }),
      Effect.gen(function* () {
        for (;;) take((yield* effectFromSelect(() => ({ from }))).value);
      }),
      Stream.runForEach(streamFromChannel(from), (value) => Effect.sync(() => take(value))),
    ];
    for (const index of [0, 1, 2]) {
      // So that the end of the fiber's budget falls on each step of a loop.
      for (let steps = 0; steps < 24; steps++) {
        const [tx, rx] = channel<number>(count);
        for (let value = 0; value < count; value++) tx.trySend(value);
        let taken = 0;
        const loop = loops(rx, () => taken++)[index] as Effect.Effect<unknown, unknown>;
        const before = Effect.forEach(Array.from({ length: steps }), () => Effect.void, { discard: true });
        const fiber = Effect.runFork(Effect.andThen(before, loop));
        expect(taken).toBeLessThan(count);
        fiber.interruptUnsafe();
        expect(words(await exitOf(fiber))).toBe('interrupt');
        expect(taken + rx.length).toBe(count);
      }
    }
  });

  test('yields in time when every value is ready', async () => {
    const ready = { [source]: { poll: () => 1, park: () => {}, unpark: () => {} } };
    const fiber = Effect.runFork(Effect.forever(effectFromSource(ready), { disableYield: true }));
    await macrotasks(1);
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
  });

  test('does not silence an observer of the fiber that throws', async () => {
    const [tx, rx] = channel<number>(1);
    const uncaught = await uncaughtErrorsIn(async () => {
      Effect.runFork(effectFromSource(rx)).addObserver(() => {
        throw new Error('in an observer');
      });
      await tx.send(1);
      await macrotasks();
    });
    expect(uncaught).toMatchObject([{ message: 'in an observer' }]);
  });

  test('runs another round after a wake-up within its own poll or park, and takes once', async () => {
    let polls = 0;
    let depth = 0;
    const script = scripted<number>(() => {
      polls++;
      depth++;
      expect(depth).toBe(1);
      if (polls === 2) script.wake();
      depth--;
      return polls >= 3 ? polls : PENDING;
    });
    expect(words(await run(effectFromSource(script.from)))).toBe('success:3');
    expect(polls).toBe(3);
    expect(script.parked.size).toBe(0);
    let ready = false;
    const parking = scripted<string>(
      () => (ready ? 'parked' : PENDING),
      () => {
        ready = true;
        parking.wake();
      },
    );
    expect(words(await run(effectFromSource(parking.from)))).toBe('success:parked');
    expect(parking.parked.size).toBe(0);
  });

  test('fails when the source throws while it parks', async () => {
    const script = scripted<number>(
      () => PENDING,
      () => {
        throw new Error('no room');
      },
    );
    expect(words(await run(effectFromSource(script.from)))).toBe('fail:no room');
    expect(script.parked.size).toBe(0);
  });

  test('leaves no parked waiter when its own poll interrupts its fiber', async () => {
    let own: Fiber.Fiber<number, unknown> | undefined;
    const script = scripted<number>(() => {
      own?.interruptUnsafe();
      return PENDING;
    });
    own = Effect.runFork(Effect.andThen(Effect.yieldNow, effectFromSource(script.from)));
    expect(words(await exitOf(own))).toBe('interrupt');
    expect(script.parked.size).toBe(0);
  });

  test('throws for a value that is not a source, before it runs', () => {
    expect(() => effectFromSource(Promise.resolve(1) as never)).toThrow(TypeError);
  });
});

describe('effectFromSelect', () => {
  test('succeeds with the winning branch, and takes nothing from the others', async () => {
    const [tx, rx] = channel<number>(4);
    const [news, receiver] = broadcast<string>(4);
    await tx.send(1);
    news.send('hello');
    const order = effectFromSelect(() => ({ rx, receiver }), { biased: true });
    expect(await runEffect(order)).toEqual({ branch: 'rx', value: 1 });
    expect(receiver.length).toBe(1);
    expect(await runEffect(order)).toEqual({ branch: 'receiver', value: 'hello' });
  });

  test('starts at a random branch unless it is biased', async () => {
    const [one, two] = ['a', 'b'].map((reason) => CancellationToken.alreadyCancelled(reason)) as [
      CancellationToken,
      CancellationToken,
    ];
    const at = (from: number) => runEffect(effectFromSelect(() => ({ one, two }), { random: () => from }));
    expect((await at(0)).branch).toBe('one');
    expect((await at(0.99)).branch).toBe('two');
  });

  test('calls the function of branches at each run', async () => {
    const clock = new VirtualClock();
    const pause = effectFromSelect(() => ({ pause: sleep(10, { clock }) }));
    const twice = run(Effect.andThen(pause, pause));
    await clock.advance(10);
    await clock.advance(9);
    expect(clock.pendingCount).toBe(1);
    await clock.advance(1);
    expect(Exit.isSuccess(await twice)).toBe(true);
  });

  test('leaves every value to its source when it is interrupted, at any time', async () => {
    const [tx, rx] = channel<number>(4);
    const stop = new AbortController();
    const select = effectFromSelect(() => ({ rx, stop: stop.signal, off: false as const }));
    const before = Effect.runFork(select);
    before.interruptUnsafe();
    await tx.send(1);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
    const got: unknown[] = [];
    const after = Effect.runFork(Effect.map(select, (outcome) => void got.push(outcome)));
    const sent = tx.send(2);
    after.interruptUnsafe();
    await sent;
    expect(got).toEqual([{ branch: 'rx', value: 2 }]);
  });

  test('leaves no parked waiter once a branch is ready, also when that happens while it parks', async () => {
    let isReady = false;
    const first = scripted<string>(
      () => (isReady ? 'ready' : PENDING),
      () => {
        isReady = true;
        first.wake();
      },
    );
    const second = scripted<string>(() => PENDING);
    const select = effectFromSelect(() => ({ first: first.from, second: second.from }), { biased: true });
    expect(await runEffect(select)).toEqual({ branch: 'first', value: 'ready' });
    expect([first.parked.size, second.parked.size]).toEqual([0, 0]);
  });

  test('gives each of two selects on one channel its own value', async () => {
    const [tx, rx] = channel<number>(4);
    const stop = new CancellationToken();
    const next = effectFromSelect(() => ({ stop, rx }));
    const [one, two] = [run(next), run(next)];
    await tx.send(1);
    await tx.send(2);
    expect([await one, await two]).toEqual([
      Exit.succeed({ branch: 'rx', value: 1 }),
      Exit.succeed({ branch: 'rx', value: 2 }),
    ]);
  });

  test('cancels and awaits functions when it is interrupted, and keeps their errors', async () => {
    const gate = deferred();
    const log: string[] = [];
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      await gate.promise;
      log.push('cleaned up');
      throw new Error('cleanup');
    };
    const fiber = Effect.runFork(effectFromSelect(() => ({ work })));
    fiber.interruptUnsafe();
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    const exit = await exitOf(fiber);
    expect(words(exit)).toContain('interrupt, die:');
    expect(log).toEqual(['cleaned up']);
  });

  test('passes an outcome that was decided before the interruption to onLate', async () => {
    const [tx, rx] = channel<number>(4);
    const late: unknown[] = [];
    const loser = async (token: CancellationToken): Promise<void> => void (await token.cancelled());
    const fiber = Effect.runFork(effectFromSelect(() => ({ rx, loser }), { onLate: (outcome) => late.push(outcome) }));
    await tx.send(1);
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(late).toMatchObject([{ branch: 'rx', value: 1 }]);
  });

  test('supports patterns, `else`, and branches that are all off', async () => {
    const [tx, rx] = channel<number>(4);
    await tx.send(1);
    const even = effectFromSelect(() => ({ even: match(rx, (n) => n % 2 === 0), else: () => 'odd' }));
    expect(await runEffect(even)).toEqual({ branch: 'else', value: 'odd' });
    const off = effectFromSelect(() => ({ rx: false as const, else: () => 'no branch' }));
    expect(await runEffect(off)).toEqual({ branch: 'else', value: 'no branch' });
    expect(words(await run(effectFromSelect(() => ({ rx: null }))))).toContain('fail:');
    tx.close();
    const closed = await Effect.runPromise(Effect.flip(effectFromSelect(() => ({ rx, else: () => 'no' }))));
    expect(isClosedError(closed)).toBe(true);
  });

  test('fails with the error of a bad branch or of the function of branches', async () => {
    expect(words(await run(effectFromSelect(() => ({ wrong: 1 as never }))))).toContain('fail:');
    const thrown = effectFromSelect(
      () => {
        throw new Error('no branches');
      },
      { catch: (error) => `typed ${(error as Error).message}` },
    );
    expect(words(await run(thrown))).toBe('fail:typed no branches');
    expect(() => effectFromSelect({} as never)).toThrow(TypeError);
  });
});
