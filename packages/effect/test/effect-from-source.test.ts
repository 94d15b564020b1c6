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
import { deferred, exitOf, run, turns, uncaughtErrorsIn, words } from './vocabulary.ts';

/** A source whose protocol is what a test says. */
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
  test('takes what is ready, and waits for what is to come', async () => {
    const [tx, rx] = channel<number>(4);
    await tx.send(1);
    expect(words(await run(effectFromSource(rx)))).toBe('success:1');
    const fiber = Effect.runFork(effectFromSource(rx));
    await tx.send(2);
    // Inside of the send: no turn has passed.
    expect(fiber.pollUnsafe()).toEqual(Exit.succeed(2));
  });

  test('fails with what the poll throws, as `catch` types it', async () => {
    const [tx, rx] = channel<number>(4);
    tx.close();
    const failed = await Effect.runPromise(Effect.flip(effectFromSource(rx)));
    expect(isClosedError(failed)).toBe(true);
    const typed = effectFromSource(rx, { catch: (error) => (error as ClosedError).code });
    expect(await Effect.runPromise(Effect.flip(typed))).toBe('ERR_CLOSED');
  });

  test('gives the reason of a token, the time of a timer, a permit, a lock, an answer', async () => {
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
    expect(permits.tryAcquire()).toBe(undefined);
    permit.release();
    const lock = new Mutex();
    (await runEffect(effectFromSource(lock.acquire()))).release();
    const [reply, answer] = oneshot<number>();
    reply.send(42);
    expect(words(await run(effectFromSource(answer)))).toBe('success:42');
  });

  test('interrupted, it has taken nothing and given its place to the next one', async () => {
    const [tx, rx] = channel<number>(4);
    const first = Effect.runFork(effectFromSource(rx));
    const second = Effect.runFork(effectFromSource(rx));
    first.interruptUnsafe();
    await tx.send(1);
    expect(words(await exitOf(first))).toBe('interrupt');
    expect(words(await exitOf(second))).toBe('success:1');
  });

  test('interrupted in the step that brings the value, it has the value or the channel has it', async () => {
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

  test('interrupted where the scheduler makes a busy fiber yield, it has every value that the channel has not', async () => {
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
      // So that the end of the fiber's budget falls on each of a loop's steps.
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

  test('yields in time also where everything is ready', async () => {
    const ready = { [source]: { poll: () => 1, park: () => {}, unpark: () => {} } };
    const fiber = Effect.runFork(Effect.forever(effectFromSource(ready), { disableYield: true }));
    await turns(1);
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
  });

  test('an observer of the fiber that throws is not silenced', async () => {
    const [tx, rx] = channel<number>(1);
    const uncaught = await uncaughtErrorsIn(async () => {
      Effect.runFork(effectFromSource(rx)).addObserver(() => {
        throw new Error('in an observer');
      });
      await tx.send(1);
      await turns();
    });
    expect(uncaught).toMatchObject([{ message: 'in an observer' }]);
  });

  test('a wake-up inside of its own poll or park is another round, and takes once', async () => {
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

  test('a source that throws while it parks is a failure', async () => {
    const script = scripted<number>(
      () => PENDING,
      () => {
        throw new Error('no room');
      },
    );
    expect(words(await run(effectFromSource(script.from)))).toBe('fail:no room');
    expect(script.parked.size).toBe(0);
  });

  test('a fiber that its own poll interrupts leaves nothing parked', async () => {
    let own: Fiber.Fiber<number, unknown> | undefined;
    const script = scripted<number>(() => {
      own?.interruptUnsafe();
      return PENDING;
    });
    own = Effect.runFork(Effect.andThen(Effect.yieldNow, effectFromSource(script.from)));
    expect(words(await exitOf(own))).toBe('interrupt');
    expect(script.parked.size).toBe(0);
  });

  test('refuses what is no source at once', () => {
    expect(() => effectFromSource(Promise.resolve(1) as never)).toThrow(TypeError);
  });
});

describe('effectFromSelect', () => {
  test('says which branch won, and takes nothing from the others', async () => {
    const [tx, rx] = channel<number>(4);
    const [news, receiver] = broadcast<string>(4);
    await tx.send(1);
    news.send('hello');
    const order = effectFromSelect(() => ({ rx, receiver }), { biased: true });
    expect(await runEffect(order)).toEqual({ branch: 'rx', value: 1 });
    expect(receiver.length).toBe(1);
    expect(await runEffect(order)).toEqual({ branch: 'receiver', value: 'hello' });
  });

  test('starts anywhere unless told otherwise', async () => {
    const [one, two] = ['a', 'b'].map((reason) => CancellationToken.alreadyCancelled(reason)) as [
      CancellationToken,
      CancellationToken,
    ];
    const at = (from: number) => runEffect(effectFromSelect(() => ({ one, two }), { random: () => from }));
    expect((await at(0)).branch).toBe('one');
    expect((await at(0.99)).branch).toBe('two');
  });

  test('makes its branches anew at each run', async () => {
    const clock = new VirtualClock();
    const pause = effectFromSelect(() => ({ pause: sleep(10, { clock }) }));
    const twice = run(Effect.andThen(pause, pause));
    await clock.advance(10);
    await clock.advance(9);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(Exit.isSuccess(await twice)).toBe(true);
  });

  test('interrupted, sources keep what comes, whenever it comes', async () => {
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

  test('parks nowhere any more once a branch is ready, also when that happens while it parks', async () => {
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

  test('two on one channel get a value each', async () => {
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

  test('interrupted, functions are cancelled and awaited, and their errors are kept', async () => {
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
    await turns();
    expect(log).toEqual([]);
    gate.resolve();
    const exit = await exitOf(fiber);
    expect(words(exit)).toContain('interrupt, die:');
    expect(log).toEqual(['cleaned up']);
  });

  test('an outcome that was decided when the interruption came goes to onLate', async () => {
    const [tx, rx] = channel<number>(4);
    const late: unknown[] = [];
    const loser = async (token: CancellationToken): Promise<void> => void (await token.cancelled());
    const fiber = Effect.runFork(effectFromSelect(() => ({ rx, loser }), { onLate: (outcome) => late.push(outcome) }));
    await tx.send(1);
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(late).toMatchObject([{ branch: 'rx', value: 1 }]);
  });

  test('knows patterns, `else`, and branches that are all off', async () => {
    const [tx, rx] = channel<number>(4);
    await tx.send(1);
    const even = effectFromSelect(() => ({ even: match(rx, (n) => n % 2 === 0), else: () => 'odd' }));
    expect(await runEffect(even)).toEqual({ branch: 'else', value: 'odd' });
    const off = effectFromSelect(() => ({ rx: false as const, else: () => 'nobody' }));
    expect(await runEffect(off)).toEqual({ branch: 'else', value: 'nobody' });
    expect(words(await run(effectFromSelect(() => ({ rx: null }))))).toContain('fail:');
    tx.close();
    const closed = await Effect.runPromise(Effect.flip(effectFromSelect(() => ({ rx, else: () => 'no' }))));
    expect(isClosedError(closed)).toBe(true);
  });

  test('fails with what cannot be a branch, and with what makes the branches', async () => {
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
