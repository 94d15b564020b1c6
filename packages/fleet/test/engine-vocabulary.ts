import {
  type Fleet,
  type FleetEngine,
  type FleetKey,
  type FleetListener,
  type FleetTopic,
  joinFleet,
} from '@quiesce/fleet';
import { expect } from 'vitest';
import { until } from '../src/contract/world.ts';

/** A listener that remembers. */
export interface Heard {
  readonly on: FleetListener;
  readonly topics: readonly FleetTopic[];
  readonly broken: readonly unknown[];
  /** Waits until the topic was hinted. */
  topic(topic: FleetTopic): Promise<void>;
  /** Acts, and waits until the topic was hinted after that. */
  next(topic: FleetTopic, act: () => Promise<void>): Promise<void>;
}

export function hearing(): Heard {
  const topics: FleetTopic[] = [];
  const broken: unknown[] = [];
  const count = (topic: FleetTopic): number => topics.filter((one) => one === topic).length;
  const more = async (topic: FleetTopic, before: number): Promise<void> => {
    await until(`a hint about ${topic}`, () => (count(topic) > before ? true : undefined));
  };
  return {
    on: { changed: (topic) => void topics.push(topic), broken: (error) => void broken.push(error) },
    topics,
    broken,
    topic: (topic) => more(topic, 0),
    next: async (topic, act) => {
      const before = count(topic);
      await act();
      await more(topic, before);
    },
  };
}

/** Returns what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: unknown }> {
  return await promise.then(
    (value) => Promise.reject(new Error(`it has fulfilled with ${JSON.stringify(value)}`)),
    (error) => error,
  );
}

/**
 * Members cancel 20 keys, and the engine loses its data. A member that joins then refuses all of them, and what is recorded
 * afterwards reaches every member.
 *
 * @param remember called when 5 of the keys are cancelled: `lose` restores what the engine has then
 */
export async function expectRepair(
  engines: readonly FleetEngine[],
  lose: () => Promise<void>,
  remember?: () => Promise<void>,
): Promise<void> {
  const namespace = `repair-${Math.random().toString(36).slice(2)}`;
  const fleets: Fleet[] = [];
  const join = async (engine: FleetEngine): Promise<Fleet> => {
    const fleet = await joinFleet({ engine, namespace, reread: 200, joinTimeout: 60_000, requestTimeout: 1_000 });
    fleets.push(fleet);
    return fleet;
  };
  try {
    const [first, second, third] = engines as [FleetEngine, FleetEngine, FleetEngine];
    const [a, b] = [await join(first), await join(second)];
    const keys = Array.from({ length: 20 }, (_, i) => ['jobs', i]);
    const kept = remember === undefined ? 0 : 5;
    const cancel = (key: FleetKey, i: number): Promise<unknown> =>
      a.cancel(key, `stop ${i}`, { until: 'delivered', timeout: 60_000 });
    await Promise.all(keys.slice(0, kept).map(cancel));
    await remember?.();
    await Promise.all(keys.slice(kept).map((key, i) => cancel(key, kept + i)));
    await lose();
    const repaired = (): number => a.inspect().counters.repairedCount + b.inspect().counters.repairedCount;
    await until('living members repair', () => (repaired() >= 20 - kept ? true : undefined));
    const c = await join(third);
    for (const [i, key] of keys.entries()) {
      expect(await c.run(key, () => 'started').catch((reason) => reason)).toBe(`stop ${i}`);
    }
    // A member whose knowledge is old reads first, and may then refuse the run.
    const work = [a, b, c].map((fleet, i) =>
      fleet.run(['later', i], (token) => token.cancelled().then(() => token.reason)).catch((reason) => reason),
    );
    await a.cancel('later', 'enough', { until: 'ended', timeout: 30_000 });
    expect(await Promise.all(work)).toEqual(['enough', 'enough', 'enough']);
  } finally {
    for (const fleet of fleets) await fleet.close();
  }
}

/** Measures the requests of an idle member for each `reread`. */
export async function idleRequests(engine: FleetEngine, count: () => number | Promise<number>): Promise<number> {
  await using fleet = await joinFleet({ engine, namespace: 'idle', reread: 100 });
  const reads = async (more: number): Promise<void> => {
    const { readCount: reads } = fleet.inspect().counters;
    await until('the slow timer', () => (fleet.inspect().counters.readCount >= reads + more ? true : undefined));
  };
  await reads(2);
  const before = await count();
  await reads(20);
  return ((await count()) - before) / 20;
}
