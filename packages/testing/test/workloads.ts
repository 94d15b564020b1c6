// The work that the budgets are about, for the test of the budgets and for the benchmark.

import { explore, type World } from '@quiesce/testing';
import fc from 'fast-check';
import { Follow } from '../src/choosers.ts';
import { captureHost } from '../src/host.ts';
import { checkSettings } from '../src/options.ts';
import { Search } from '../src/search.ts';
import { plain, Session, type Watch } from '../src/session.ts';

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
export async function bare(runs: number): Promise<void> {
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

export async function explored(runs: number): Promise<void> {
  const report = await explore((world) => tasks(world.external('call', ['answer'])), {
    bound: Number.POSITIVE_INFINITY,
    budget: { schedules: runs },
    demand: 0,
  });
  if (report.scheduleCount !== runs) throw new Error(`${report.scheduleCount} schedules were run`);
}

export async function fastCheck(runs: number): Promise<void> {
  const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
    void tasks(scheduler.scheduleFunction(async () => 'answer'));
    await scheduler.waitIdle();
  });
  await fc.assert(property, { numRuns: runs });
}

export async function watched(runs: number, awaits: number, watch: Watch): Promise<void> {
  const test = (world: World): Promise<void> => {
    world.signal();
    return tasks(world.external('call', ['answer']), awaits);
  };
  const session = new Session(checkSettings('explore', {}), captureHost(), test);
  for (let run = 0; run < runs; run++) {
    const { failure } = await session.execute(new Follow([]), watch);
    if (failure !== undefined) throw failure.cause;
  }
  session.close();
}

export const counted: Watch = { ...plain, countFrom: -1 };
export const audited: Watch = { ...plain, audited: true };
export { plain };

/** Returns how many bytes each schedule takes that waits to be run. */
export async function bytesOfWaiting(): Promise<number> {
  const session = new Session(checkSettings('explore', {}), captureHost(), (world) =>
    tasks(world.external('call', ['a'])),
  );
  const { trace } = await session.execute(new Follow([]), plain);
  session.close();
  const settings = checkSettings('explore', { bound: Number.POSITIVE_INFINITY });
  const first = new Search(settings);
  const plan = first.next();
  if (plan === undefined) throw new Error('a search begins with the default schedule');
  first.extend(plan, trace);
  let each = 0;
  while (first.next() !== undefined) each++;
  if (each <= 20) throw new Error(`only ${each} schedules wait`);
  const search = new Search(settings);
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 5_000; i++) search.extend(plan, trace);
  // Without a collection, garbage counts, too.
  const bytes = (process.memoryUsage().heapUsed - before) / 5_000 / each;
  if (search.next() !== plan) throw new Error('the search was collected');
  return bytes;
}
