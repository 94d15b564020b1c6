// The measure itself: it must see what is kept, and nothing else.
import { expect, test } from 'vitest';
import { bytesPerTurn, survivors } from './leak.ts';

const turns = 100_000;

test('a turn that keeps nothing grows by nothing', async () => {
  expect(await bytesPerTurn({ turns }, () => ({ some: 'garbage' }))).toBeLessThan(1);
});

test('a turn that awaits and keeps nothing grows by nothing', async () => {
  expect(await bytesPerTurn({ turns }, async () => ({ some: 'garbage' }))).toBeLessThan(1);
});

test('a turn that keeps one small object is seen', async () => {
  const kept: object[] = [];
  expect(await bytesPerTurn({ turns }, (i) => kept.push({ i }))).toBeGreaterThan(12);
  expect(kept.length).toBeGreaterThan(turns);
});

test('objects that nobody keeps do not survive', async () => {
  expect(await survivors(1_000, (i) => ({ i }))).toBe(0);
});

test('objects that somebody keeps survive', async () => {
  const kept: object[] = [];
  const make = (i: number): object => {
    const made = { i };
    if (i % 2 === 0) kept.push(made);
    return made;
  };
  expect(await survivors(1_000, make)).toBe(kept.length);
});
