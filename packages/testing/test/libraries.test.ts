// Code of other people, as it is installed.
import { cancelEverywhere, explore, ScheduleError } from '@quiesce/testing';
import DataLoader from 'dataloader';
import pLimit from 'p-limit';
import PQueue from 'p-queue';
import pRetry from 'p-retry';
import { MockAgent, fetch as undiciFetch } from 'undici';
import { expect, test } from 'vitest';

async function failureOf(run: Promise<unknown>): Promise<ScheduleError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ScheduleError);
  return error as ScheduleError;
}

test('`clearQueue` of p-limit hangs the callers of what it removes', async () => {
  const error = await failureOf(
    explore(async (world) => {
      const load = world.external('load', ['page']);
      const limit = pLimit(1);
      world.anytime('clearQueue()', () => limit.clearQueue());
      await Promise.all([1, 2].map((id) => limit(() => load(id))));
    }),
  );
  expect(error.kind).toBe('stuck');
});

test('`onIdle` of p-queue resolves while an aborted job runs', async () => {
  const error = await failureOf(
    explore(
      async (world) => {
        const queue = new PQueue({ concurrency: 1 });
        let running = 0;
        const load = world.external('load', ['page'], { abortable: false });
        const signal = world.signal('stop');
        const job = queue.add(
          async () => {
            running++;
            await load();
            running--;
          },
          { signal },
        );
        job.catch(() => {});
        await queue.onIdle();
        if (running > 0) throw new Error('a job runs while the queue is idle');
      },
      { leftovers: 'ignore' },
    ),
  );
  expect(error.message).toMatch(/a job runs while the queue is idle/);
});

test('p-limit without `clearQueue` passes', async () => {
  await explore(async (world) => {
    const load = world.external('load', ['page']);
    const limit = pLimit(2);
    world.always('at most two run', () => limit.activeCount <= 2);
    await Promise.all([1, 2, 3].map((id) => limit(() => load(id))));
  });
});

test('p-retry passes, with its pauses on virtual time', async () => {
  const report = await cancelEverywhere(
    async (world, signal) => {
      const load = world.external('load', ['page'], { failures: [new TypeError('fetch failed')] });
      await pRetry(() => load({ signal }), { retries: 2, signal }).catch((error: unknown) => {
        if (!signal.aborted && (error as Error).message !== 'fetch failed') throw error;
        signal.throwIfAborted();
      });
    },
    { bound: 1 },
  );
  expect(report.stoppedBy).not.toBe('failure');
});

test('dataloader passes', async () => {
  await explore(async (world) => {
    const load = world.external('load', (keys: readonly number[]) => keys.map((key) => key * 2));
    const loader = new DataLoader<number, number>((keys) => load(keys));
    const values = await Promise.all([loader.load(1), loader.load(2), loader.load(1)]);
    expect(values).toEqual([2, 4, 2]);
  });
});

test('the MockAgent of undici passes', async () => {
  await explore(async (world) => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    agent.get('http://example.com').intercept({ path: '/' }).reply(200, { a: 1 });
    const load = world.external('load', ['page']);
    const [response] = await Promise.all([undiciFetch('http://example.com/', { dispatcher: agent }), load()]);
    expect(await response.json()).toEqual({ a: 1 });
  });
});
