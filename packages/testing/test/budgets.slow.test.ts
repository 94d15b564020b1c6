// Ratios of processor time within one process: other work on the machine does not change them much.
import { explore, type World } from '@quiesce/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Follow } from '../src/choosers.ts';
import { captureHost } from '../src/host.ts';
import { checkSettings } from '../src/options.ts';
import { Search } from '../src/search.ts';
import { plain, Session, type Watch } from '../src/session.ts';

const ROUNDS = 5;
const TASKS = 3;
const EACH = 5;

/** Runs three tasks of five operations, each followed by bare awaits. */
async function tasks(call: () => Promise<unknown>, awaits = 0): Promise<void> {
  const task = async (): Promise<void> => {
    for (let i = 0; i < EACH; i++) {
      await call();
      for (let j = 0; j < awaits; j++) await null;
    }
  };
  await Promise.all(Array.from({ length: TASKS }, task));
}

/** Resolves the promises from tasks of a message channel, and does nothing else. */
async function bare(runs: number): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  for (let run = 0; run < runs; run++) {
    const pending: (() => void)[] = [];
    let isDone = false;
    const done = tasks(() => new Promise<void>((resolve) => pending.push(resolve))).then(() => {
      isDone = true;
    });
    port1.onmessage = () => {
      pending.shift()?.();
      if (!isDone) port2.postMessage(0);
    };
    port2.postMessage(0);
    await done;
  }
  port1.close();
}

async function explored(runs: number): Promise<void> {
  const report = await explore((world) => tasks(world.external('call', ['answer'])), {
    bound: Number.POSITIVE_INFINITY,
    budget: { schedules: runs },
    demand: 0,
  });
  expect(report.schedules).toBe(runs);
}

async function fastCheck(runs: number): Promise<void> {
  const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
    void tasks(scheduler.scheduleFunction(async () => 'answer'));
    await scheduler.waitIdle();
  });
  await fc.assert(property, { numRuns: runs });
}

async function watched(runs: number, awaits: number, watch: Watch): Promise<void> {
  const test = (world: World): Promise<void> => {
    world.signal();
    return tasks(world.external('call', ['answer']), awaits);
  };
  const session = new Session(checkSettings('explore', {}), captureHost(), test);
  for (let run = 0; run < runs; run++) expect((await session.execute(new Follow([]), watch)).failure).toBeUndefined();
  session.close();
}

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
  const counted = { ...plain, countFrom: -1 };
  expect(
    await ratio(
      () => watched(500, 0, counted),
      () => watched(500, 0, plain),
    ),
  ).toBeLessThanOrEqual(2);
});

test('an audit of a run with 20 awaits for each operation costs at most 5 times the run', async () => {
  const audited = { ...plain, audited: true };
  expect(
    await ratio(
      () => watched(200, 20, audited),
      () => watched(200, 20, plain),
    ),
  ).toBeLessThanOrEqual(5);
});

test('a schedule that waits takes at most 200 bytes', async () => {
  const session = new Session(checkSettings('explore', {}), captureHost(), (world) =>
    tasks(world.external('call', ['a'])),
  );
  const { trace } = await session.execute(new Follow([]), plain);
  session.close();
  const settings = checkSettings('explore', { bound: Number.POSITIVE_INFINITY });
  const count = (search: Search): number => {
    let found = 0;
    while (search.next() !== undefined) found++;
    return found;
  };
  const first = new Search(settings);
  const plan = first.next();
  if (plan === undefined) throw new Error('a search begins with the default schedule');
  first.extend(plan, trace);
  const each = count(first);
  expect(each).toBeGreaterThan(20);
  const search = new Search(settings);
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 5_000; i++) search.extend(plan, trace);
  // Without a collection, garbage counts, too.
  expect((process.memoryUsage().heapUsed - before) / 5_000 / each).toBeLessThanOrEqual(200);
  expect(search.next()).toBe(plan);
});
