// Cancels many waiting tasks, each of which has a short cleanup, and awaits all of them.

import { setMaxListeners } from 'node:events';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { type Scope, scope } from '@quiesce/scope';
import { Effect, Fiber, FiberSet } from 'effect';
import { atLeast, atMost } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';
import { PlainGroup } from './plain.ts';

const TASKS = 10_000;
const bare = 'a bare counter and set';

let cleaned = 0;
/** The last step of each task. */
const cleanup = async (): Promise<void> => {
  await undefined;
  cleaned++;
};
const check = (): void => {
  expectCount(cleaned, TASKS);
  cleaned = 0;
};

/** Waits for the cancellation, cleans up, and ends. */
const obedient = (token: CancellationToken): Promise<void> =>
  new Promise<void>((resolve) => void token.onCancelled(() => resolve())).then(cleanup);

function quiesce(): Subject {
  let running: { readonly s: Scope; readonly over: Promise<unknown> } | undefined;
  return timed({
    name: 'quiesce',
    batch: TASKS,
    isAsync: true,
    prepare: () => {
      let s: Scope | undefined;
      const over = scope((made) => {
        s = made;
        for (let i = 0; i < TASKS; i++) made.spawn(obedient);
      });
      running = s && { s, over };
    },
    run: async () => {
      running?.s.cancel('stop');
      await running?.over;
    },
    check,
  });
}

function plain(): Subject {
  let group = new PlainGroup();
  const work = (group: PlainGroup): Promise<void> =>
    new Promise<void>((resolve) => void group.stops.add(resolve)).then(cleanup);
  return timed({
    name: bare,
    batch: TASKS,
    isAsync: true,
    prepare: () => {
      group = new PlainGroup();
      for (let i = 0; i < TASKS; i++) group.spawn(work);
    },
    run: () => {
      const over = group.join();
      group.cancel();
      return over;
    },
    check,
  });
}

function oneSignal(): Subject {
  let controller = new AbortController();
  let all: Promise<void>[] = [];
  const work = (signal: AbortSignal): Promise<void> =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })).then(cleanup);
  return timed({
    name: 'one AbortSignal and Promise.all',
    batch: TASKS,
    runs: 1,
    isAsync: true,
    prepare: () => {
      controller = new AbortController();
      setMaxListeners(0, controller.signal);
      all = Array.from({ length: TASKS }, () => work(controller.signal));
    },
    run: async () => {
      controller.abort('stop');
      await Promise.all(all);
    },
    check,
  });
}

let started = 0;
const waiting = Effect.andThen(
  Effect.sync(() => void started++),
  Effect.never,
).pipe(Effect.onInterrupt(() => Effect.promise(cleanup)));

function effect(): Subject {
  let fiber: Fiber.Fiber<void> | undefined;
  return timed({
    name: 'Effect FiberSet',
    batch: TASKS,
    isAsync: true,
    prepare: () => {
      started = 0;
      fiber = Effect.runFork(
        Effect.scoped(
          Effect.gen(function* () {
            const set = yield* FiberSet.make<never, never>();
            for (let i = 0; i < TASKS; i++) yield* FiberSet.run(set, waiting);
            yield* FiberSet.awaitEmpty(set);
          }),
        ),
      );
    },
    // Fibers start one after another, and a fiber that has not started has nothing to clean up.
    ready: async () => {
      while (started < TASKS) await new Promise((resolve) => setImmediate(resolve));
    },
    run: async () => {
      if (fiber !== undefined) await Effect.runPromise(Fiber.interrupt(fiber));
    },
    check,
  });
}

const many = TASKS.toLocaleString('en');

export const cleanups: Row = {
  name: `cancel ${many} pending tasks, each with an asynchronous cleanup, and await them, a task`,
  unit: 'ns',
  subjects: () => [quiesce(), plain()],
  budgets: [{ against: bare, must: atMost(2) }],
};

export const cleanupsBeside: Row = {
  name: 'the same beside others',
  unit: 'ns',
  subjects: () => [quiesce(), effect(), oneSignal()],
  budgets: [{ against: 'Effect FiberSet', must: atLeast(1.8), aim: atLeast(3) }],
};
