import { effectClock, effectFromSource, effectFromWork, runEffect } from '@quiesce/effect';
import { scope } from '@quiesce/scope';
import { interval, select, sleep } from '@quiesce/select';
import { Effect, Fiber } from 'effect';
import { TestClock } from 'effect/testing';
import { expect, test } from 'vitest';
import { macrotasks, rejection } from './vocabulary.ts';

const onTestClock = <A, E>(program: Effect.Effect<A, E>): Promise<A> =>
  runEffect(Effect.provide(program, TestClock.layer()));

test('one adjust fires the timers of both libraries, in order of time', async () => {
  const log: string[] = [];
  const program = Effect.gen(function* () {
    const clock = yield* effectClock;
    const effect = yield* Effect.forkChild(
      Effect.andThen(
        Effect.sleep('20 millis'),
        Effect.sync(() => void log.push(`effect ${clock.now()}`)),
      ),
    );
    for (const ms of [30, 10]) void sleep(ms, { clock }).then(() => log.push(`quiesce ${clock.now()} ${clock.wall()}`));
    yield* TestClock.adjust('10 millis');
    expect(log).toEqual(['quiesce 10 10']);
    yield* TestClock.adjust('1 second');
    yield* Fiber.join(effect);
  });
  await onTestClock(program);
  expect(log).toEqual(['quiesce 10 10', 'effect 20', 'quiesce 30 30']);
});

test('a loop that sets its timer again after each tick ticks within one adjust', async () => {
  const ticks: number[] = [];
  const program = Effect.gen(function* () {
    const clock = yield* effectClock;
    const loop = (async () => {
      for (let i = 0; i < 5; i++) {
        await select({ tick: sleep(1_000, { clock }) });
        ticks.push(clock.now());
      }
    })();
    yield* TestClock.adjust('10 seconds');
    yield* effectFromWork(() => loop);
  });
  await onTestClock(program);
  expect(ticks).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
});

test('the timeout of a scope and an interval run on it', async () => {
  const program = Effect.gen(function* () {
    const clock = yield* effectClock;
    const slow = rejection(
      scope((s) => s.token.cancelled().then(() => s.token.throwIfCancelled()), { timeout: 50, clock }),
    );
    const ticks = interval(20, { clock });
    yield* effectFromSource(ticks);
    const second = yield* Effect.forkChild(effectFromSource(ticks));
    yield* TestClock.adjust('50 millis');
    yield* Fiber.join(second);
    return yield* effectFromWork(() => slow);
  });
  expect(await onTestClock(program)).toMatchObject({ name: 'TimeoutError', ms: 50 });
});

test('a cleared timer does not fire, and no timer fires synchronously', async () => {
  const fired: string[] = [];
  const program = Effect.gen(function* () {
    const clock = yield* effectClock;
    const gone = clock.setTimer(10, () => fired.push('gone'), { ref: true });
    clock.setTimer(0, () => fired.push('at once'), { ref: true });
    clock.setTimer(Number.POSITIVE_INFINITY, () => fired.push('never'), { ref: true });
    expect(fired).toEqual([]);
    clock.clearTimer(gone);
    clock.clearTimer(gone);
    // Without setImmediate, Effect's scheduler yields with a timer.
    yield* effectFromWork(async () => {
      for (let i = 0; i < 1_000 && fired.length === 0; i++) await macrotasks();
    });
    expect(fired).toEqual(['at once']);
    yield* TestClock.adjust('1 hour');
    expect(() => clock.setTimer(-1, () => {}, { ref: true })).toThrow(RangeError);
  });
  await onTestClock(program);
  expect(fired).toEqual(['at once']);
});
