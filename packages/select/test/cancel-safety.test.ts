// Cancel safety of a receiver with a pattern or a time limit, over thousands of races at random moments. The other sources are explored
// in every order: test/conformance/explored-contests.test.ts.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { match, select, timeout } from '@quiesce/select';
import { describe, expect, test } from 'vitest';

const ROUNDS = 3_000;
const seed = Date.now() % 2 ** 31;

/** Numbers from 0 to below 1, derived from the seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe(`each value is delivered exactly once, in order (seed ${seed})`, () => {
  test('of a receiver with a pattern, except values that do not fit', async () => {
    const random = randomOf(seed);
    const [tx, rx] = broadcast<number>(2 ** 15);
    const [fits, lost]: [number[], number[]] = [[], []];
    const isEven = (n: number): boolean => n % 2 === 0 || lost.push(n) < 0;
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [rival, signal] = [new CancellationToken(), new CancellationToken()];
      const running = select({ even: match(rx, isEven), rival }, { signal, random }).then(
        ({ branch, value }) => branch === 'even' && fits.push(value as number),
        () => {},
      );
      if (random() < 0.8) tx.send(sent++);
      if (random() < 0.3) signal.cancel();
      if (random() < 0.5) tx.send(sent++);
      rival.cancel();
      await running;
    }
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) fits.push(rest.value);
    expect([fits.length, lost.length].every((count) => count > ROUNDS / 4)).toBe(true);
    expect([...fits, ...lost].sort((a, b) => a - b)).toEqual(upTo(sent));
  });

  test('of a receiver with a time limit', async () => {
    const random = randomOf(seed);
    const [tx, rx] = broadcast<number>(2 ** 15);
    let fire: (() => void) | undefined;
    const clock = Object.assign(new VirtualClock(), {
      setTimer: (_: number, fn: () => void) => {
        fire = fn;
        return {} as never;
      },
      clearTimer: () => {
        fire = undefined;
      },
    });
    const values: number[] = [];
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const running = timeout(5, rx, { clock }).then(
        (value) => values.push(value),
        () => {},
      );
      for (const act of random() < 0.5
        ? [() => tx.send(sent++), () => fire?.()]
        : [() => fire?.(), () => tx.send(sent++)]) {
        act();
        if (random() < 0.3) await Promise.resolve();
      }
      await running;
    }
    expect(values.length).toBeGreaterThan(ROUNDS / 4);
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) values.push(rest.value);
    expect(values).toEqual(upTo(sent));
  });
});
