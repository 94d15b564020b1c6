import { AsyncLocalStorage } from 'node:async_hooks';
import * as nodeTimers from 'node:timers';
import * as timersPromises from 'node:timers/promises';
import { setTimeout as importedDelay, setInterval as importedInterval } from 'node:timers/promises';
import { promisify } from 'node:util';
import { explore, type World } from '@quiesce/testing';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.useRealTimers();
});

/** Runs the default schedule, and returns the result of the test. */
async function resultOf<T>(body: (world: World) => T | Promise<T>): Promise<T> {
  let result: T | undefined;
  await explore(
    async (world) => {
      result = await body(world);
    },
    { bound: 0, leftovers: 'ignore' },
  );
  return result as T;
}

/** The distinct results of all schedules, sorted. */
async function resultsOf<T>(body: (world: World) => Promise<T>): Promise<T[]> {
  const results = new Set<T>();
  await explore(async (world) => void results.add(await body(world)), { bound: Number.POSITIVE_INFINITY, late: false });
  return [...results].sort();
}

test('timers fire in due order, and those of one duration in the order in which they were set', async () => {
  const orders = await resultsOf(async (world) => {
    let order = '';
    setTimeout(() => {
      order += 'a';
    }, 20);
    setTimeout(() => {
      order += 'b';
    }, 10);
    setTimeout(() => {
      order += 'c';
    }, 20);
    await world.rest();
    return order;
  });
  expect(orders).toEqual(['bac']);
});

test('timers of different durations that are due at one time fire in any order', async () => {
  const orders = await resultsOf(async (world) => {
    let order = '';
    setTimeout(() => {
      setTimeout(() => {
        order += 'a';
      }, 10);
    }, 10);
    setTimeout(() => {
      order += 'b';
    }, 20);
    await world.rest();
    return order;
  });
  expect(orders).toEqual(['ab', 'ba']);
});

test('an immediate that an operation set runs before every timer', async () => {
  const orders = await resultsOf(async (world) => {
    let order = '';
    setTimeout(() => {
      order += 'timer ';
    }, 1);
    await world.external('load', ['page'])();
    setImmediate(() => {
      order += 'immediate ';
    });
    await world.rest();
    return order;
  });
  expect(orders).toEqual(['immediate timer ', 'timer immediate ']);
  const inStart = await resultsOf(async (world) => {
    let order = '';
    setTimeout(() => {
      order += 'timer ';
    }, 1);
    setImmediate(() => {
      order += 'immediate ';
    });
    await world.rest();
    return order;
  });
  expect(inStart).toEqual(['immediate timer ', 'timer immediate ']);
});

test.each([
  [0, 1],
  [-5, 1],
  [Number.NaN, 1],
  [1.9, 1],
  [2 ** 31, 1],
  ['20', 20],
  [undefined, 1],
])('a delay of %s is %s ms, as on the platform', async (delay, expected) => {
  const elapsed = await resultOf(async (world) => {
    await new Promise((resolve) => setTimeout(resolve, delay as number));
    return world.now;
  });
  expect(elapsed).toBe(expected);
});

test('handles have the methods of Node, and a number that clears them', async () => {
  const events = await resultOf(async (world) => {
    const log: string[] = [];
    const timer = setTimeout(() => log.push(`timer ${world.now}`), 10);
    expect(timer.unref()).toBe(timer);
    expect(timer.hasRef()).toBe(false);
    expect(timer.ref().hasRef()).toBe(true);
    setTimeout(() => timer.refresh(), 5);
    clearTimeout(+setTimeout(() => log.push('cleared by its number'), 1));
    clearTimeout(String(+setTimeout(() => log.push('cleared by a string'), 1)));
    setTimeout(() => log.push('closed'), 1).close();
    clearTimeout(undefined);
    setTimeout((...args: unknown[]) => log.push(args.join()), 2, 'a', 'b');
    clearImmediate(setImmediate(() => log.push('cleared')));
    let ticks = 0;
    const interval = setInterval(() => {
      log.push(`tick ${world.now}`);
      if (++ticks === 2) clearInterval(interval);
    }, 7);
    await world.rest();
    return log;
  });
  expect(events).toEqual(['a,b', 'tick 7', 'tick 14', 'timer 15']);
});

test('a callback that is no function is refused, as on the platform', async () => {
  await resultOf(() => {
    expect(() => setTimeout('code' as unknown as () => void)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

test('every way to a timer is virtual', async () => {
  const elapsed = await resultOf(async (world) => {
    const times: number[] = [];
    const after = async (wait: PromiseLike<unknown>) => {
      await wait;
      times.push(world.now);
    };
    await after(importedDelay(10));
    await after(timersPromises.setTimeout(10));
    await after(promisify(setTimeout)(10));
    await after(promisify(setImmediate)());
    await after(timersPromises.setImmediate());
    await after(timersPromises.scheduler.wait(10));
    await after(new Promise((resolve) => nodeTimers.setTimeout(resolve, 10)));
    await after(
      new Promise((resolve) => {
        AbortSignal.timeout(10).addEventListener('abort', resolve);
      }),
    );
    for await (const value of importedInterval(10, 'tick')) {
      times.push(world.now);
      expect(value).toBe('tick');
      if (times.length > 9) break;
    }
    return times;
  });
  expect(elapsed).toEqual([10, 20, 30, 30, 30, 40, 50, 60, 70, 80]);
});

test('timers of node:timers/promises reject with an `AbortError`', async () => {
  const error = await resultOf(async (world) => {
    const signal = world.signal('stop');
    setTimeout(() => {}, 1);
    return timersPromises.setTimeout(1e6, undefined, { signal }).catch((reason: unknown) => reason);
  });
  expect(error === undefined || (error as Error).name === 'AbortError').toBe(true);
});

test('reading time gives virtual time', async () => {
  const read = await resultOf(async () => {
    const start = performance.now();
    const [seconds] = process.hrtime();
    await importedDelay(2_500);
    return {
      date: new Date().toISOString(),
      now: Date.now() - Date.UTC(2030, 0, 1),
      performance: performance.now() - start,
      hrtime: process.hrtime()[0] - seconds,
      bigint: typeof process.hrtime.bigint(),
      year: new Intl.DateTimeFormat('en', { year: 'numeric', timeZone: 'UTC' }).format(),
    };
  });
  expect(read).toEqual({
    date: '2030-01-01T00:00:02.500Z',
    now: 2_500,
    performance: 2_500,
    hrtime: 2,
    bigint: 'bigint',
    year: '2030',
  });
});

test('`now` sets the time at the start of each run', async () => {
  const seen = new Set<number>();
  await explore(
    async (world) => {
      seen.add(Date.now());
      await Promise.all([world.external('a', [1])(), world.external('b', [1])()]);
    },
    { now: new Date('2024-02-29') },
  );
  expect([...seen]).toEqual([Date.UTC(2024, 1, 29)]);
});

test('`Math.random` gives the same numbers in each run, and others for another seed', async () => {
  const numbers = new Set<number>();
  const body = async (world: World) => {
    numbers.add(Math.random());
    await Promise.all([world.external('a', [1])(), world.external('b', [1])()]);
  };
  await explore(body);
  expect(numbers.size).toBe(1);
  await explore(body, { seed: 2 });
  expect(numbers.size).toBe(2);
});

test('a timer keeps the asynchronous context of the code that sets it', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen = await resultOf(
    () => new Promise((resolve) => storage.run('request', () => setTimeout(() => resolve(storage.getStore()), 5))),
  );
  expect(seen).toBe('request');
});

test('globals are as before after an exploration, also after a failure', async () => {
  const names = ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance', 'Intl', 'fetch'] as const;
  const before = names.map((name) => globalThis[name]);
  const more = () => [
    Math.random,
    AbortSignal.timeout,
    process.hrtime,
    importedDelay,
    nodeTimers.setTimeout,
    performance.now,
  ];
  const moreBefore = more();
  const listeners = process.listenerCount('unhandledRejection');
  await explore(() => {
    expect(setTimeout).not.toBe(before[0]);
    expect(importedDelay).not.toBe(moreBefore[3]);
  });
  await expect(explore(() => Promise.reject(new Error('fails')))).rejects.toThrow();
  expect(names.map((name) => globalThis[name])).toEqual(before);
  expect(more()).toEqual(moreBefore);
  expect(process.listenerCount('unhandledRejection')).toBe(listeners);
});

test('with `globals: false` nothing is replaced', async () => {
  const before = globalThis.setTimeout;
  await explore(
    async (world) => {
      expect(globalThis.setTimeout).toBe(before);
      await new Promise<void>((resolve) => world.clock.setTimer(10, resolve, { ref: true }));
    },
    { globals: false },
  );
});

test('globals that are faked already are a TypeError that names them', async () => {
  vi.useFakeTimers();
  await expect(explore(() => {})).rejects.toThrow(/^explore: setTimeout, .*Date are faked already/);
});
