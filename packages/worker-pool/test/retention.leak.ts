// Pools and tokens that live for months must retain nothing of finished work.
import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
import { serveTasks, TaskWorker } from '@quiesce/worker-pool/web';
import { expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';

const turns = 20_000;

test('a worker pool with a long-lived token retains nothing of finished jobs', async () => {
  const pool = new WorkerPool({ concurrency: 1 });
  const signal = new CancellationToken();
  const job = async (token: CancellationToken): Promise<void> => void token.onCancelled(() => {});
  // After 400,000 rounds nothing is left. The growth within 20,000 rounds is compiled code, up to 50 kB that is collected later.
  const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
    await Promise.all([pool.execute(job, { signal }), pool.execute(job, { signal, timeout: 60_000 })]);
  });
  expect(growth).toBeLessThan(2);
});

test('a paused worker pool retains nothing of cancelled jobs', async () => {
  const pool = new WorkerPool({ concurrency: 1, capacity: 10 });
  pool.pause();
  const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
    const signal = new CancellationToken();
    const job = pool.execute(() => {}, { signal }).catch(() => {});
    signal.cancel('withdrawn');
    await job;
  });
  expect(growth).toBeLessThan(2);
  expect([pool.queuedCount, pool.inFlightCount]).toEqual([0, 0]);
});

test('a resource pool retains nothing of leases, of calls that gave up, or of destroyed resources', async () => {
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

test('a resource pool and a long-lived signal retain nothing of selects whose acquire lost', async () => {
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

test('a long-lived token retains nothing of disposed links to threads', async () => {
  const token = new CancellationToken();
  const left = await survivors(200, () => {
    const link = shareToken(token);
    const far = receiveToken(link.shared);
    link.dispose();
    return far;
  });
  // A port is released by a message of its own, so the last ports may still be there.
  expect(left).toBeLessThan(4);
});

test('a long-lived token and a worker retain nothing of calls that ended', async () => {
  const { port1, port2 } = new MessageChannel();
  serveTasks((n: number) => 2 * n, { port: port2 });
  await using worker = new TaskWorker(port1);
  const signal = new CancellationToken();
  // Each call has a port of its own, and a port is released by a message of its own.
  const growth = await bytesPerTurn({ turns: 1_000, below: 100 }, async (n) => {
    await worker.run(n, { signal });
  });
  expect(growth).toBeLessThan(100);
  expect([worker.inFlightCount, (signal as unknown as { head: unknown }).head]).toEqual([0, undefined]);
});

test('a worker that was shut down is collected, although its Worker is held', async () => {
  // In place of a Worker, so that its listeners can be counted.
  const listeners = new Set<unknown>();
  const host = {
    postMessage: () => {},
    close: () => {},
    addEventListener: (_: string, listener: unknown) => void listeners.add(listener),
    removeEventListener: (_: string, listener: unknown) => void listeners.delete(listener),
  };
  const left = await survivors(200, () => {
    const worker = new TaskWorker(host);
    void worker.shutdown();
    return worker;
  });
  expect(left).toBeLessThan(4);
  expect(listeners.size).toBe(0);
});

test('a forgotten lease is reported with the name of its pool', async () => {
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
