// A fleet retains its runs in progress, the tokens that are in use, and the cancels in force. Nothing else.
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Fleet, joinFleet, memoryEngine } from '@quiesce/fleet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';
import { deaf, rejection, world } from './vocabulary.ts';

const retention = 60_000;
let clock: VirtualClock;
let engine: ReturnType<typeof memoryEngine>;
let fleets: Fleet[];

/** A member that looks at the engine rarely, so that time passes cheaply. */
async function join(node: string, member = true): Promise<Fleet> {
  const options = { reread: 30_000, memberTtl: 90_000, lostFor: 0, retention };
  const fleet = await joinFleet({ engine, clock, node, member, ...options });
  fleets.push(fleet);
  return fleet;
}

beforeEach(() => {
  clock = new VirtualClock();
  engine = memoryEngine({ clock });
  fleets = [];
});
afterEach(async () => {
  for (const fleet of fleets) await fleet.close();
  expect(clock.pendingCount).toBe(0);
});

describe('a fleet that lives long retains nothing', () => {
  test('of 100,000 runs that have ended, in every way', async () => {
    const fleet = await join('worker');
    const signal = new CancellationToken();
    const error = new Error('failed');
    const growth = await bytesPerTurn({ turns: 50_000, isWhole: true }, async (i) => {
      // What the work leaves on its token goes with the run.
      if (i % 4 === 0) await fleet.run(['jobs', i, 1], (token) => void token.onCancelled(() => i));
      else if (i % 4 === 1) await fleet.run(`jobs/${i}`, () => Promise.reject(error)).catch(() => {});
      else if (i % 4 === 2) await fleet.run(['jobs', i], (token) => token.isCancelled, { signal });
      else
        await fleet.run(['jobs', i], (token) => void token.signal.addEventListener('abort', () => i), {
          unreachable: 90_000,
        });
    });
    expect(growth).toBeLessThan(1);
    expect([fleet.inFlightCount, fleet.inspect().runs]).toEqual([0, []]);
  });

  test('of 100,000 tokens that were forgotten, nor of their keys', async () => {
    const fleet = await join('worker');
    const growth = await bytesPerTurn({ turns: 50_000, isWhole: true }, (i) => fleet.token(['jobs', i, 1]).isCancelled);
    expect(growth).toBeLessThan(1);
    expect(await fleet.cancel('jobs', 'stop', { until: 'delivered' })).toMatchObject({
      state: 'nobody',
      nodes: [{ tokenCount: 0 }],
    });
  });

  test('of cancels that have expired, of answers to them, and of callers that gave up', async () => {
    const [api, worker] = [await join('api'), await join('worker')];
    const caller = await join('caller', false);
    const signal = new CancellationToken();
    let count = 0;
    const growth = await bytesPerTurn({ turns: 200, below: 61 }, async () => {
      const jobs = Array.from({ length: 20 }, async () => {
        const key = ['jobs', count++];
        const job = worker.run(key, (token) => token.cancelled());
        const given = new CancellationToken();
        const receipts = [
          api.cancel(key, 'stop', { until: 'ended', signal }),
          worker.cancel(key, 'stop', { ttl: 1_000 }),
          api.cancel(key, 'stop', { until: 'delivered', signal: given }).catch(() => {}),
        ];
        given.cancel('enough');
        await Promise.all([job, ...receipts]);
      });
      jobs.push(caller.cancel(['jobs', count], 'stop', { until: 'ended' }).then(() => {}));
      const all = Promise.all(jobs);
      await clock.advance(1_000);
      await all;
      await clock.advance(2 * retention);
    });
    // Noise of a few bytes a cancel: each turn has 61 of them.
    expect(growth).toBeLessThan(61);
    expect([api, worker].map((fleet) => fleet.inspect().cancelCount)).toEqual([0, 0]);
  });

  test('of leases that were given back, and of waits for them that ended', async () => {
    const [a, b] = [await join('a'), await join('b')];
    const signal = new CancellationToken();
    let count = 0;
    const growth = await bytesPerTurn({ turns: 60, below: 80 }, async () => {
      const names = Array.from({ length: 20 }, () => `lease ${count++}`);
      const all = names.map(async (name) => {
        const given = new CancellationToken();
        const work = deaf();
        const held = a.lease(name, work.work, { signal });
        await new Promise<void>((resolve) => void clock.setTimer(1, resolve));
        const waits = [
          b.lease(name, () => {}, { signal: given }),
          b.lease(name, () => {}, { timeout: 1 }),
          b.lease(name, () => {}, { signal }),
        ].map((wait) => wait.catch(() => {}));
        await new Promise<void>((resolve) => void clock.setTimer(1, resolve));
        given.cancel('enough');
        work.finish();
        await Promise.all([held, ...waits]);
      });
      const done = Promise.all(all);
      await clock.advance(10);
      await done;
      await clock.advance(40_000);
    });
    expect(growth).toBeLessThan(80);
    expect([a.inFlightCount, b.inFlightCount]).toEqual([0, 0]);
  });

  test('of members that have joined and left', async () => {
    const api = await join('api');
    let count = 0;
    const growth = await bytesPerTurn({ turns: 100, below: 100 }, async () => {
      for (let i = 0; i < 10; i++) {
        const options = { engine, clock, node: `n${count++}`, retention, lostFor: 0 };
        const fleet = await joinFleet(options);
        fleet.token('jobs/1').onCancelled(() => {});
        const job = fleet.run('jobs/1', (token) => token.cancelled());
        const receipt = fleet.cancel('jobs/2', 'stop', { until: 'delivered' });
        await clock.advance(10);
        await receipt;
        await fleet.close();
        await job;
      }
      await clock.advance(2 * retention);
    });
    expect(growth).toBeLessThan(100);
    expect((await api.members()).length).toBe(1);
  });
});

test('1,000 tokens with native listeners alone are reached after a collection', async () => {
  const [api, worker] = [await join('api'), await join('worker')];
  const heard = new Set<number>();
  for (let i = 0; i < 1_000; i++) {
    worker.token(['jobs', i]).signal.addEventListener('abort', () => heard.add(i));
  }
  await collectGarbage();
  const receipt = await api.cancel('jobs', 'stop', { until: 'ended' });
  expect(receipt.nodes[1]).toMatchObject({ node: worker.id, tokenCount: 1_000 });
  expect(heard.size).toBe(1_000);
});

test('a cancel that waits retains none of the runs that it found, once they have ended', async () => {
  const { clock, engine, join } = world();
  const fleet = await join('worker');
  const jobs: Promise<unknown>[] = [];
  engine.cut();
  let waiting: Promise<unknown> | undefined;
  const left = await survivors(50, async (i) => {
    let given: CancellationToken | undefined;
    const work = (token: CancellationToken): PromiseLike<unknown> => {
      given = token;
      return token.cancelled();
    };
    jobs.push(fleet.run(['jobs', i], work));
    if (i === 49) {
      waiting = rejection(fleet.cancel('jobs', 'stop', { timeout: 60_000 }));
      await Promise.all(jobs.splice(0));
    }
    return given as CancellationToken;
  });
  // The last one may be on the stack.
  expect(left).toBeLessThanOrEqual(1);
  await clock.advance(60_000);
  expect(await waiting).toMatchObject({ code: 'ERR_ENGINE_UNAVAILABLE' });
  engine.heal();
  await clock.advance(10_000);
  await fleet.close();
});

test('a fleet that was closed is collected, with its runs and tokens', async () => {
  const left = await survivors(200, async () => {
    const fleet = await joinFleet({ engine, clock, retention });
    const job = fleet.run('jobs/1', (token) => token.cancelled());
    fleet.token('jobs/2').onCancelled(() => {});
    await fleet.lease('billing', () => {});
    await fleet.cancel('jobs/3', 'stop', { until: 'delivered' });
    await fleet.close();
    await job;
    return fleet;
  });
  // The engine may keep the last.
  expect(left).toBeLessThanOrEqual(1);
});
