// What a fleet costs in memory and in processor time, against the least that could do the same.
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Fleet, joinFleet, memoryEngine } from '@quiesce/fleet';
import { expect, test } from 'vitest';
import { collectGarbage } from '../../../test/leak/leak.ts';

const many = 100_000;

interface Cost {
  readonly bytes: number;
  readonly micros: number;
}

/** Bytes and processor time of what `make` returns; the least of several measurements, because noise only adds. */
async function costOf(make: () => object): Promise<Cost> {
  let cost: Cost = { bytes: Number.POSITIVE_INFINITY, micros: Number.POSITIVE_INFINITY };
  for (let round = 0; round < 2; round++) {
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const start = process.cpuUsage();
    kept.push(make());
    const { user, system } = process.cpuUsage(start);
    await collectGarbage();
    const bytes = process.memoryUsage().heapUsed - before;
    cost = { bytes: Math.min(cost.bytes, bytes), micros: Math.min(cost.micros, user + system) };
  }
  return cost;
}
/** What was measured lives on, so that its end is not measured. */
const kept: object[] = [];

/** Two members on one engine. */
async function pair(): Promise<[VirtualClock, Fleet, Fleet]> {
  const clock = new VirtualClock();
  const engine = memoryEngine({ clock });
  return [clock, await joinFleet({ engine, clock, node: 'api' }), await joinFleet({ engine, clock, node: 'worker' })];
}

const keys = Array.from({ length: many }, (_, i) => `jobs/${i}`);

test('100,000 runs take at most 2.5 times the bytes and 3 times the time of a Map entry and a token each', async () => {
  const [, , fleet] = await pair();
  const never = new Promise<void>(() => {});
  const work = (): Promise<void> => never;
  const plain = await costOf(() => {
    const root = new CancellationToken();
    const running = new Map<string, CancellationToken>();
    const run = async (key: string): Promise<void> => {
      const token = root.childToken();
      running.set(key, token);
      try {
        await work();
      } finally {
        running.delete(key);
        token.dispose();
      }
    };
    return [running, keys.map(run)];
  });
  kept.length = 0;
  let round = 0;
  const runs = await costOf(() => {
    round++;
    return keys.map((key) => fleet.run(`${round}/${key}`, work));
  });
  expect(fleet.inFlightCount).toBe(2 * many);
  expect(runs.bytes / plain.bytes).toBeLessThanOrEqual(2.5);
  expect(runs.micros / plain.micros).toBeLessThanOrEqual(3);
});

test('a cancel beside 100,000 keys costs at most 4 times one beside a single key', async () => {
  const measure = async (count: number): Promise<number> => {
    const [, api, worker] = await pair();
    const tokens = keys.slice(0, count).map((key) => worker.token(key));
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 8; round++) {
      const start = process.cpuUsage();
      for (let i = 0; i < 50; i++) {
        const key = `jobs/new/${round}/${i}`;
        const job = worker.run(key, (token) => token.cancelled());
        await api.cancel(key, 'stop', { until: 'ended' });
        await job;
      }
      const { user, system } = process.cpuUsage(start);
      least = Math.min(least, user + system);
    }
    expect(tokens.some(({ isCancelled }) => isCancelled)).toBe(false);
    return least;
  };
  const ratio = (await measure(many)) / (await measure(1));
  expect(ratio).toBeLessThanOrEqual(4);
});

test('a live cancel takes at most 700 bytes on each node', async () => {
  const count = 4_000;
  const [clock, api, worker] = await pair();
  const caller = new Set<Promise<unknown>>();
  const cost = async (from: number): Promise<number> => {
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < count; i++) {
      caller.add(api.cancel(['jobs', from + i, 1], 'stopped by the user', { until: 'delivered' }));
      if (caller.size < 500) continue;
      const all = Promise.all(caller);
      await clock.advance(10);
      await all;
      caller.clear();
    }
    // Answers are kept for a minute.
    await clock.advance(120_000);
    await collectGarbage();
    return (process.memoryUsage().heapUsed - before) / count;
  };
  await cost(0);
  const bytes = Math.min(await cost(count), await cost(2 * count));
  expect([api, worker].map((fleet) => fleet.inspect().cancelCount)).toEqual([3 * count, 3 * count]);
  // Two nodes; the engine has the record and its body, which all three share.
  expect(bytes).toBeLessThanOrEqual(2 * 700);
});
