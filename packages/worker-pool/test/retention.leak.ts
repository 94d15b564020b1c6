// What pools and tokens that live for months keep of the work that has ended: nothing.
import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
import { expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';

const turns = 20_000;

test('a pool of workers keeps nothing of the jobs that have ended, under a token that lives long', async () => {
  const pool = new WorkerPool({ concurrency: 1 });
  const signal = new CancellationToken();
  const job = async (token: CancellationToken): Promise<void> => void token.onCancelled(() => {});
  // Of 400,000 turns nothing is left. What 20,000 show is compiled code, which comes and goes by 50 kB for some rounds.
  const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
    await Promise.all([pool.execute(job, { signal }), pool.execute(job, { signal, timeout: 60_000 })]);
  });
  expect(growth).toBeLessThan(2);
});

test('a paused pool keeps nothing of the jobs that were withdrawn', async () => {
  const pool = new WorkerPool({ concurrency: 1, capacity: 10 });
  pool.pause();
  const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
    const signal = new CancellationToken();
    const job = pool.execute(() => {}, { signal }).catch(() => {});
    signal.cancel('withdrawn');
    await job;
  });
  expect(growth).toBeLessThan(2);
  expect([pool.queued, pool.inFlight]).toEqual([0, 0]);
});

test('a pool of resources keeps nothing of leases, of those who gave up, and of what was destroyed', async () => {
  const pool = new ResourcePool<object>({ create: () => ({}), max: 1 });
  const signal = new CancellationToken();
  const growth = await bytesPerTurn({ turns, below: 4 }, async (n) => {
    const lease = await pool.acquire({ signal });
    const left = pool.acquire({ signal: AbortSignal.abort('left') }).catch(() => {});
    if (n % 2 === 0) lease.release();
    else lease.destroy();
    await left;
  });
  expect(growth).toBeLessThan(4);
});

test('a pool of resources, and a signal that lives long, keep nothing of selects that have lost an acquire', async () => {
  const pool = new ResourcePool<object>({ create: () => ({}), max: 1 });
  const signal = new CancellationToken();
  const growth = await bytesPerTurn({ turns, below: 4 }, async () => {
    const lease = await pool.acquire({ signal, timeout: 60_000 });
    const lost = select({ lease: pool.acquire({ signal, timeout: 60_000 }), ready: Promise.resolve() });
    await lost;
    lease.release();
    (await pool.acquire()).release();
  });
  expect(growth).toBeLessThan(4);
});

test('a token that lives long keeps nothing of the links to threads that were disposed', async () => {
  const token = new CancellationToken();
  const left = await survivors(200, () => {
    const link = shareToken(token);
    const far = receiveToken(link.shared);
    link.dispose();
    return far;
  });
  // A port goes with a message of its own; the last ones may still be at hand.
  expect(left).toBeLessThan(4);
});

test('a lease that is forgotten is reported with the name of its pool', async () => {
  const errors: Error[] = [];
  const before = setUncaughtHandler((error) => errors.push(error as Error));
  const pool = new ResourcePool<object>({ create: () => ({}), max: 5, name: 'db', leakDetection: true });
  await (async () => {
    (await pool.acquire()).release();
    await pool.acquire();
  })();
  await collectGarbage();
  await collectGarbage();
  setUncaughtHandler(before);
  expect(errors.map(({ name }) => name)).toEqual(['LeakError']);
  expect(errors[0]?.message).toContain('"db"');
});
