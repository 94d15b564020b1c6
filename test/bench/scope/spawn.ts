// Starts many tasks that do almost nothing, and awaits all of them.

import { JoinSet, scope, TaskTracker } from '@quiesce/scope';
import * as aborting from 'abort-controller-x';
import { Effect, FiberSet } from 'effect';
import { call, all as effectionAll, run as effectionRun } from 'effection';
import pLimit from 'p-limit';
import PQueue from 'p-queue';
import { lastValueFrom, mergeMap, range } from 'rxjs';
import { atMost, type Budget, byNode } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';
import { PlainList } from './plain.ts';

const TASKS = 100_000;
/** Some rivals are too slow for this many. */
const FEWER = 10_000;
const FEWEST = 500;
const bare = 'a bare list, an object a task';

let done = 0;
const trivial = async (): Promise<void> => {
  done++;
};

/** Starts `count` tasks and awaits them. */
function joining(name: string, count: number, run: (count: number) => Promise<unknown>): Subject {
  return timed({
    name,
    batch: count,
    runs: count === TASKS ? 3 : 5,
    isAsync: true,
    run: async () => void (await run(count)),
    check: () => {
      expectCount(done, count);
      done = 0;
    },
  });
}

const quiesce = (count: number): Promise<void> =>
  scope((s) => {
    for (let i = 0; i < count; i++) s.spawn(trivial);
  });

const promises = async (count: number): Promise<void> => {
  const all: Promise<void>[] = [];
  for (let i = 0; i < count; i++) all.push(trivial());
  await Promise.all(all);
};

const plainly = (count: number): Promise<void> => {
  const list = new PlainList();
  for (let i = 0; i < count; i++) list.spawn(trivial);
  return list.join();
};

const effect = Effect.promise(trivial);
const fibers = (count: number): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const set = yield* FiberSet.make<void, never>();
        for (let i = 0; i < count; i++) yield* FiberSet.run(set, effect);
        yield* FiberSet.awaitEmpty(set);
      }),
    ),
  );

const forEach = (count: number): Promise<unknown> =>
  Effect.runPromise(
    Effect.forEach(Array.from({ length: count }), () => effect, { concurrency: 'unbounded', discard: true }),
  );

const queue = (count: number): Promise<unknown> => {
  const tasks = new PQueue({ concurrency: Number.POSITIVE_INFINITY });
  for (let i = 0; i < count; i++) void tasks.add(trivial);
  return tasks.onIdle();
};

const limited = async (count: number): Promise<void> => {
  const limit = pLimit(Number.POSITIVE_INFINITY);
  const all: Promise<void>[] = [];
  for (let i = 0; i < count; i++) all.push(limit(trivial));
  await Promise.all(all);
};

const effection = async (count: number): Promise<void> => {
  await effectionRun(function* () {
    yield* effectionAll(Array.from({ length: count }, () => call(trivial)));
  });
};

const aborted = (count: number): Promise<unknown> =>
  aborting.all(new AbortController().signal, () => Array.from({ length: count }, trivial));

const merged = (count: number): Promise<unknown> => lastValueFrom(range(count).pipe(mergeMap(trivial)));

const tracker = (count: number): Promise<void> => {
  const tasks = new TaskTracker();
  for (let i = 0; i < count; i++) void tasks.spawn(trivial);
  tasks.close();
  return tasks.wait().then();
};

const set = async (count: number): Promise<void> => {
  const tasks = new JoinSet<void>();
  for (let i = 0; i < count; i++) tasks.spawn(trivial);
  while ((await tasks.joinNext()) !== undefined);
};

const tasks = TASKS.toLocaleString('en');
const budgets: readonly Budget[] = [
  { against: bare, must: atMost(1.4) },
  { against: 'Promise.all', must: atMost(2.5) },
];

/** Only with the closest rival: objects of libraries on the heap would make both slower. */
export const trivialTasks: Row = {
  name: `${tasks} trivial tasks, started and joined, a task`,
  unit: 'ns',
  subjects: () => [
    joining('quiesce', TASKS, quiesce),
    joining(bare, TASKS, plainly),
    joining('Promise.all', TASKS, promises),
  ],
  budgets,
};

export const besideEffect: Row = {
  name: 'the same beside Effect',
  unit: 'ns',
  subjects: () => [
    joining('quiesce', TASKS, quiesce),
    joining('Effect FiberSet', TASKS, fibers),
    joining('Effect forEach', TASKS, forEach),
  ],
  budgets: [{ against: 'Effect FiberSet', must: byNode(atMost(1.3), atMost(1)) }],
};

export const besideOthers: Row = {
  name: `${FEWER.toLocaleString('en')} of them, beside other libraries, a task`,
  unit: 'ns',
  subjects: () => [
    joining('quiesce', FEWER, quiesce),
    joining('quiesce JoinSet', FEWER, set),
    joining('quiesce TaskTracker', FEWER, tracker),
    joining('p-limit', FEWER, limited),
    joining('p-queue', FEWER, queue),
    joining('abort-controller-x', FEWER, aborted),
    joining('rxjs mergeMap', FEWER, merged),
    joining('effection', FEWEST, effection),
  ],
  budgets: [],
};

/** The same with options that cost only when they are used. */
export const withSites: Row = {
  name: `${FEWER.toLocaleString('en')} of them, and the cost of options, a task`,
  unit: 'ns',
  subjects: () => [
    joining('quiesce', FEWER, quiesce),
    joining('with spawnSites', FEWER, (count) =>
      scope(
        (s) => {
          for (let i = 0; i < count; i++) s.spawn(trivial);
        },
        { spawnSites: true },
      ),
    ),
  ],
  budgets: [],
};
