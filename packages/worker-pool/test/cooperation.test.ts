// A loop over scopes, tasks and pools runs in microtasks alone. Timers and setImmediate must still fire.
import { JoinSet, Scope, scope, shield, TaskTracker } from '@quiesce/scope';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { expect, it } from 'vitest';

/** Computes for 3 ms. */
function compute(): number {
  const end = performance.now() + 3;
  while (performance.now() < end);
  return 1;
}

const s = new Scope();
const set = new JoinSet<number>();
const tracker = new TaskTracker();
const workers = new WorkerPool({ concurrency: 1 });
const resources = new ResourcePool({ create: () => 1, max: 1 });

const loops: Record<string, (work: () => number) => Promise<unknown>> = {
  'a scope': (work) => scope(work),
  'a nested scope': (work) => scope(({ token }) => scope(work, { signal: token })),
  'a scope with a task': (work) => scope((inner) => void inner.spawn(work)),
  'a shield': (work) => shield(work),
  'a new Scope that is joined': (work) => {
    const block = new Scope();
    block.spawn(work);
    return block.join();
  },
  'a new Scope that is closed': (work) => {
    work();
    return new Scope().close();
  },
  'a task': async (work) => await s.spawn(work),
  'a promise that is derived from a task': (work) => s.spawn(work).then((value) => value),
  'settled() of a task': (work) => s.spawn(work).settled(),
  'a task that fails': (work) =>
    s.spawn(() => Promise.reject(new Error(`${work()}`)), { onFailure: 'isolate' }).catch(() => {}),
  start: (work) => s.start((_, ready: (value: number) => void) => ready(work())),
  map: async (work) => await s.map([1], work),
  mapUnordered: async (work) => {
    for await (const _ of s.mapUnordered([1], work));
  },
  race: async (work) => await s.race([work]),
  use: async (work) => await scope((inner) => inner.use({}, work)),
  'joinNext of a set': async (work) => {
    set.spawn(work);
    await set.joinNext();
  },
  'for await of a set': async (work) => {
    set.spawn(work);
    for await (const _ of set);
  },
  'joinAll of a set': (work) => {
    set.spawn(work);
    return set.joinAll();
  },
  'spawn of a tracker': (work) => tracker.spawn(work),
  'spawn of a tracker that fails': (work) => tracker.spawn(() => Promise.reject(work())).catch(() => {}),
  'track of a tracker': (work) => tracker.track(Promise.resolve(work())),
  'execute of a pool': (work) => workers.execute(work),
  'acquire of a pool': async (work) => {
    using _ = await resources.acquire();
    work();
  },
  'use of a pool': (work) => resources.use(work),
};

/** Counts the rounds of a loop until a timer and an immediate have fired. The count is very large when they never fire. */
async function roundsUntilTurned(act: () => Promise<unknown>, limit: number): Promise<number> {
  let fired = 0;
  setTimeout(() => fired++, 1);
  setImmediate(() => fired++);
  let rounds = 0;
  while (fired < 2 && rounds < limit) {
    await act();
    rounds++;
  }
  return rounds;
}

it.each(Object.entries(loops))('a loop over %s lets timers through', async (_, act) => {
  expect(await roundsUntilTurned(() => act(() => 1), 1_000_000)).toBeLessThan(1_000_000);
});

// 1,024 completions would take three seconds.
it.each(Object.entries(loops))('a loop over %s that computes lets timers through after some 10 ms', async (_, act) => {
  expect(await roundsUntilTurned(() => act(compute), 100)).toBeLessThan(100);
});
