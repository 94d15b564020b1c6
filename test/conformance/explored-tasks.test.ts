// JoinSet, TaskTracker, retries and selects in loops, in every order of answers and cancellations. Bound 1; 6 s of processor time.

import { channel } from '@quiesce/channel';
import { JoinSet, scope, TaskTracker } from '@quiesce/scope';
import { interval, retry, select, selectEach } from '@quiesce/select';
import { cancelEverywhere, explore, failure, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

const options = { bound: 1 };

test('a join set gives each task once, also to a `joinNext` that was cancelled before', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const load = world.external('load', (id: number) => id);
      const tasks = new JoinSet<number>();
      for (const id of [1, 2, 3]) tasks.spawn(() => load(id));
      const joined: number[] = [];
      for (;;) {
        // A select that is cancelled has taken nothing.
        const next = await select({ task: tasks.joinNext() }, joined.length === 0 ? { signal } : {}).catch((error) => {
          if (!signal.aborted) throw error;
        });
        if (next === undefined && joined.length === 0) {
          const after = await tasks.joinNext();
          if (after?.status === 'fulfilled') joined.push(after.value);
          continue;
        }
        if (next?.value === undefined) break;
        if (next.value.status === 'fulfilled') joined.push(next.value.value);
      }
      expect(joined.sort()).toEqual([1, 2, 3]);
      expect(tasks.length).toBe(0);
    },
    { ...options, outcome: 'any' },
  );
});

test('a join set that is shut down at any time awaits its tasks', async () => {
  await explore(async (world) => {
    const connect = world.external('connect', () => world.resource('connection'));
    const query = world.external('query', ['rows']);
    const tasks = new JoinSet<string>();
    const ends: Promise<unknown>[] = [];
    for (const id of [1, 2]) {
      tasks.spawn(async (token) => {
        const connection = await connect({ signal: token.signal });
        try {
          return await query(id, { signal: token.signal });
        } finally {
          connection.close();
        }
      });
    }
    world.anytime('shutdown', () => ends.push(tasks.shutdown()));
    while ((await tasks.joinNext()) !== undefined);
    await Promise.all(ends);
    expect(tasks.length).toBe(0);
  }, options);
});

test('a tracker that is closed and reopened at any time counts every task', async () => {
  await explore(async (world) => {
    const load = world.external('load', ['page']);
    const tracker = new TaskTracker();
    let running = 0;
    world.always('the count is that of running tasks', () => tracker.inFlightCount >= running);
    world.held('tasks', () => tracker.inFlightCount);
    const run = (id: number) =>
      tracker.spawn(async () => {
        running++;
        await load(id).finally(() => {
          running--;
        });
      });
    const all = [run(1), run(2)];
    world.anytime('close', () => tracker.close());
    world.anytime('reopen', () => tracker.reopen());
    await Promise.all(all);
    tracker.close();
    await tracker.wait();
  }, options);
});

test('a task and the wait of a tracker are branches', async () => {
  const tracker = new TaskTracker();
  await scope(async (s) => {
    const task = s.spawn(() => 'done');
    const guard = tracker.guard();
    tracker.close();
    const wait = tracker.wait();
    expect(await select.biased({ wait, task })).toEqual({ branch: 'task', value: 'done' });
    guard.dispose();
    expect((await select({ wait })).branch).toBe('wait');
    const turns: string[] = [];
    for await (const { branch } of selectEach.biased({ task, wait })) turns.push(branch);
    expect(turns).toEqual(['task', 'wait']);
  });
});

test('a retry ends at a cancellation in each attempt and each pause, and leaves no timer', async () => {
  const test = async (world: World, signal: AbortSignal): Promise<void> => {
    let attempts = 0;
    const send = world.external('send', ['ok', failure(new Error('503'))]);
    const result = await retry(
      (token) => {
        attempts++;
        return send({ signal: token.signal });
      },
      { attempts: 3, delay: 100, jitter: 'none', signal },
    ).catch((error: unknown) => {
      // The error of an attempt that failed at the cancellation is not lost.
      const { message } = error as Error;
      if (signal.aborted) expect(error === signal.reason || message === '503').toBe(true);
      else expect(attempts).toBe(3);
    });
    if (result !== undefined) expect(result).toBe('ok');
  };
  await cancelEverywhere(test, { ...options, outcome: 'any' });
});

test('a scope with a timeout, a daemon and an isolated failure settles with the right error', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const connect = world.external('connect', () => world.resource('connection'));
      const send = world.external('send', ['ok', failure(new Error('reset'))]);
      let beats = 0;
      await scope(
        async (s) => {
          const connection = await s.use(connect({ signal: s.token.signal }), (value) => value.close());
          s.spawn(
            async (token) => {
              for (const ticks = interval(40); ; beats++) await select({ tick: ticks }, { signal: token });
            },
            { daemon: true },
          );
          connection.use();
          await s.spawn((token) => send('a', { signal: token.signal }), { onFailure: 'isolate' }).settled();
          await s.spawn((token) => send('b', { signal: token.signal }));
        },
        { signal, timeout: 100 },
      ).catch((error: unknown) => {
        const { message, name } = error as Error;
        if (message !== 'reset' && name !== 'TimeoutError' && error !== signal.reason) throw error;
      });
      expect(beats).toBeLessThan(10);
    },
    { ...options, outcome: 'any' },
  );
});

test('a loop of `selectEach` loses no value of a channel, wherever it is cancelled', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const [tx, rx] = channel<number>(4);
      world.events('values', [1, 2, 3], (value) => void tx.trySend(value), { batch: 2 });
      const seen: number[] = [];
      try {
        for await (const next of selectEach({ value: rx, tick: interval(1_000) }, { signal })) {
          if (next.branch === 'value') seen.push(next.value);
          if (seen.length === 3) break;
        }
      } catch (error) {
        if (error !== signal.reason) throw error;
      }
      while (seen.length < 3) seen.push(await rx.recv());
      expect(seen).toEqual([1, 2, 3]);
    },
    { ...options, outcome: 'any' },
  );
});
