// Tests of the measurement: it must detect retained objects, and nothing else.
import { expect, test } from 'vitest';
import { bytesPerTurn, survivors } from './leak.ts';

const turns = 100_000;

test('a synchronous round that retains nothing shows no growth', async () => {
  expect(await bytesPerTurn({ turns }, () => ({ some: 'garbage' }))).toBeLessThan(1);
});

test('an async round that retains nothing shows no growth', async () => {
  expect(await bytesPerTurn({ turns }, async () => ({ some: 'garbage' }))).toBeLessThan(1);
});

test('a round that retains one small object is detected', async () => {
  const kept: object[] = [];
  let round = 0;
  expect(await bytesPerTurn({ turns }, () => kept.push({ i: round++ }))).toBeGreaterThan(12);
  expect(kept.length).toBe(round);
});

test('objects that are not retained do not survive', async () => {
  expect(await survivors(1_000, (i) => ({ i }))).toBe(0);
});

test('retained objects survive', async () => {
  const kept: object[] = [];
  const make = (i: number): object => {
    const made = { i };
    if (i % 2 === 0) kept.push(made);
    return made;
  };
  expect(await survivors(1_000, make)).toBe(kept.length);
});
