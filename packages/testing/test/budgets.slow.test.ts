// Ratios of processor time within one process: other work on the machine does not change them much.
import { expect, test } from 'vitest';
import { audited, bare, bytesOfWaiting, counted, explored, fastCheck, plain, watched } from './workloads.ts';

const ROUNDS = 5;

async function processorTime(work: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/** The median ratio of two pieces of work that alternate. */
async function ratio(work: () => Promise<void>, base: () => Promise<void>): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const [one, other] = [await processorTime(work), await processorTime(base)];
    if (round > 0) ratios.push(one / other);
  }
  return ratios.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

test('a run of 15 operations costs at most 7 times bare tasks of a message channel', async () => {
  expect(
    await ratio(
      () => explored(1_000),
      () => bare(1_000),
    ),
  ).toBeLessThanOrEqual(7);
});

test('a run of 15 operations costs at most 2.5 times a run of fast-check', async () => {
  expect(
    await ratio(
      () => explored(1_000),
      () => fastCheck(1_000),
    ),
  ).toBeLessThanOrEqual(2.5);
});

test('counting rounds at most doubles a run', async () => {
  expect(
    await ratio(
      () => watched(500, 0, counted),
      () => watched(500, 0, plain),
    ),
  ).toBeLessThanOrEqual(2);
});

test('an audit of a run with 20 awaits for each operation costs at most 5 times the run', async () => {
  expect(
    await ratio(
      () => watched(200, 20, audited),
      () => watched(200, 20, plain),
    ),
  ).toBeLessThanOrEqual(5);
});

test('a schedule that waits takes at most 200 bytes', async () => {
  expect(await bytesOfWaiting()).toBeLessThanOrEqual(200);
});
