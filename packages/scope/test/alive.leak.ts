// Memory is for live work: months of tasks, sets and trackers in use, and failures that no code received.
import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { JoinSet, LeakError, Scope, scope, TaskTracker } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, quietly, survivors } from '../../../test/leak/leak.ts';

const turns = 30_000;
const error = new Error('isolated');

test('a scope in which many tasks have run retains nothing of them', async () => {
  const growth = await scope((s) => bytesPerTurn({ turns: 340_000 }, async () => void (await s.spawn(async () => {}))));
  expect(growth).toBeLessThan(1);
}, 120_000);

test('a minute of virtual time with a hundred thousand tasks, of which many fail, are cancelled or time out', async () => {
  const clock = new VirtualClock();
  let tasks = 0;
  // One timer each for a thousand tasks: without `setImmediate` the work after a timer takes some ms to finish.
  let [short, long] = [sleep(50, { clock }), sleep(100, { clock })];
  const growth = await scope(
    (s) =>
      bytesPerTurn({ turns: 60_000, isWhole: true }, () => {
        const key = tasks++;
        if (key % 1_000 === 0) [short, long] = [sleep(50, { clock }), sleep(100, { clock })];
        const done = key % 10 < 5 ? short : long;
        const work = async (token: CancellationToken): Promise<void> => {
          await select({ token, done });
          if (key % 10 === 3) throw error;
        };
        const inner = (signal: CancellationToken): Promise<void> =>
          scope((inner) => void inner.spawn(work), { signal, clock, timeout: 70, cleanupTimeout: 10 });
        const task = s.spawn(key % 100 === 49 ? inner : work, { onFailure: 'isolate', key });
        void task.settled();
        if (key % 10 === 8) task.cancel();
        // A thousand of them at a time.
        return key % 1_000 === 999 ? clock.advance(500) : undefined;
      }),
    { clock, cleanupTimeout: 1_000 },
  );
  expect(clock.now()).toBe(tasks / 2);
  expect([clock.now() >= 60_000, tasks >= 100_000]).toEqual([true, true]);
  // Bytes per task.
  expect(growth).toBeLessThan(1);
}, 360_000);

test('a scope retains nothing of ended keys, names, daemons and handled failures', async () => {
  const growth = await scope((s) =>
    bytesPerTurn({ turns }, async (i) => {
      s.spawn(async () => {}, { key: i, name: 'a task', daemon: true });
      await s.spawn(() => Promise.reject(error), { onFailure: 'isolate' }).settled();
      await s.map([1], async () => {});
    }),
  );
  expect(growth).toBeLessThan(1);
});

test('a scope retains nothing of results that were read, nor of loops that were left', async () => {
  const growth = await scope(async (s) => {
    const items = (function* () {
      for (;;) yield {};
    })();
    const results = s.mapUnordered(items, (item) => item, { concurrency: 4 });
    return await bytesPerTurn({ turns: 30_000 }, async () => {
      await results.next();
      for await (const _ of s.mapUnordered([1, 2, 3], (n) => n)) break;
    });
  });
  expect(growth).toBeLessThan(1);
});

test('a cleanup timeout leaves nothing on a long-lived token', async () => {
  const outer = new CancellationToken();
  const growth = await bytesPerTurn({ turns: 10_000 }, () =>
    scope((s) => void s.spawn(async () => {}), { signal: outer, cleanupTimeout: 1_000, timeout: 60_000 }),
  );
  expect(growth).toBeLessThan(1);
});

test('a set retains nothing of joined or detached tasks', async () => {
  const set = new JoinSet<number>();
  const growth = await bytesPerTurn({ turns }, async (i) => {
    set.spawn(() => i);
    set.spawn(() => Promise.reject(error));
    await set.joinNext();
    await set.joinNext();
    set.spawn(async () => i);
    set.detachAll();
    await select({ next: set.joinNext(), other: sleep(0) });
  });
  expect(growth).toBeLessThan(1);
});

test('a tracker retains nothing of settled work, nor of waits that were given up', async () => {
  const tracker = new TaskTracker();
  const growth = await bytesPerTurn({ turns }, async () => {
    const tracked = tracker.track(Promise.resolve());
    tracker.guard().dispose();
    await select({ idle: tracker.wait(), tracked });
  });
  expect(growth).toBeLessThan(1);
});

test('a task without a name costs the same whether or not any code reads the tree', async () => {
  const weigh = async (looks: boolean): Promise<number> => {
    const count = 20_000;
    const s = new Scope();
    const token = new CancellationToken();
    const work = (): Promise<void> => select({ token }).then(() => {});
    s.spawn(work);
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < count; i++) s.spawn(work);
    if (looks) expect(s.tree().children).toHaveLength(count + 1);
    await collectGarbage();
    const bytes = (process.memoryUsage().heapUsed - before) / count;
    token.cancel();
    await s.join();
    return bytes;
  };
  const [quiet, looked]: [number[], number[]] = [[], []];
  await quietly(async () => {
    await weigh(true);
    for (let round = 0; round < 3; round++) {
      quiet.push(await weigh(false));
      looked.push(await weigh(true));
    }
  });
  // Noise only ever adds.
  expect(Math.abs(Math.min(...quiet) - Math.min(...looked))).toBeLessThan(4);
});

test('a scope that was abandoned in the middle of its block is collected', async () => {
  expect(
    await survivors(500, () => {
      const s = new Scope();
      s.spawn(() => new Promise(() => {}));
      return s;
    }),
  ).toBe(0);
});

test('an abandoned scope with a timeout is collected after the timeout', async () => {
  const clock = new VirtualClock();
  const left = survivors(500, (i) => {
    const s = new Scope({ timeout: 60_000, clock });
    s.spawn(() => new Promise(() => {}));
    // Until then the stack of its TimeoutError retains its frames.
    return i === 499 ? clock.advance(60_000).then(() => s) : s;
  });
  expect(await left).toBe(0);
});

const reported: unknown[] = [];
let before: ReturnType<typeof setUncaughtHandler>;
beforeAll(() => {
  before = setUncaughtHandler((leak) => reported.push(leak));
});
afterAll(() => setUncaughtHandler(before));

test('a forgotten object is named once, with its creation site, when leak detection is on', async () => {
  const tracker = new TaskTracker({ name: 'requests', leakDetection: true });
  const quiet = new TaskTracker({ name: 'quiet' });
  const use = (): void => {
    tracker.guard().dispose();
    tracker.guard();
    quiet.guard();
    new Scope({ name: 'block', leakDetection: true });
    void new Scope({ leakDetection: true }).close();
    void scope(() => {}, { leakDetection: true });
  };
  use();
  for (let i = 0; i < 20 && reported.length < 2; i++) await collectGarbage();
  await collectGarbage();
  const texts = reported.map(String).sort();
  expect(reported.every((error) => error instanceof LeakError)).toBe(true);
  expect(texts).toHaveLength(2);
  expect(texts[0]).toMatch(
    /^LeakError: A guard of tracker "requests" was forgotten: dispose it.*alive\.leak\.\w+(\?\S*)?:\d+/,
  );
  expect(texts[1]).toMatch(/^LeakError: Scope "block" was forgotten: close it.*alive\.leak\.\w+(\?\S*)?:\d+/);
});
