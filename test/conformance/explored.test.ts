// The packages in every order of answers and cancellations. Bound 1; 6 s of processor time.

import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { channel, Mutex, oneshot, Semaphore, watch } from '@quiesce/channel';
import { scope, TaskTracker } from '@quiesce/scope';
import { select, sleep, timeout } from '@quiesce/select';
import { Shutdown } from '@quiesce/shutdown';
import { cancelEverywhere, explore } from '@quiesce/testing';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { expect, test } from 'vitest';

const options = { bound: 1 };

test('a token that follows a signal leaves no listener', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const load = world.external('load', ['page']);
      using token = CancellationToken.from(signal).childToken();
      const result = await token.runUntilCancelled(load(1, { signal: token.signal }));
      if (result.status === 'fulfilled') await load(2, { signal: token.signal });
    },
    { ...options, outcome: 'any' },
  );
});

test('a semaphore loses no permit to a cancellation', async () => {
  await cancelEverywhere(async (world, signal) => {
    const work = world.external('work', ['done']);
    const permits = new Semaphore(1);
    world.held('permits', () => 1 - permits.availablePermits);
    const job = async (id: number) => {
      using _ = await permits.acquire({ signal });
      await work(id, { signal });
    };
    const ends = await Promise.allSettled([job(1), job(2), job(3)]);
    signal.throwIfAborted();
    expect(ends.every(({ status }) => status === 'fulfilled')).toBe(true);
  }, options);
});

test('a mutex excludes, and is free at the end', async () => {
  await cancelEverywhere(async (world, signal) => {
    const work = world.external('work', ['done']);
    const mutex = new Mutex();
    let inside = 0;
    world.always('one at a time', () => inside <= 1);
    const job = async () => {
      using _ = await mutex.acquire({ signal });
      inside++;
      await work({ signal }).finally(() => {
        inside--;
      });
    };
    await Promise.allSettled([job(), job()]);
    const free = mutex.tryAcquire();
    expect(free.ok).toBe(true);
    signal.throwIfAborted();
  }, options);
});

test('a channel loses no value to a cancelled `recv`', async () => {
  await cancelEverywhere(async (world, signal) => {
    const [tx, rx] = channel<number>(1);
    const produce = world.external('produce', (value: number) => value);
    const sending = (async () => {
      for (const value of [1, 2, 3]) await tx.send(await produce(value));
      tx.close();
    })();
    world.track('the producer', sending);
    const received: number[] = [];
    while (received.length < 3) {
      const next = await rx.recv({ signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        return rx.recv();
      });
      received.push(next);
    }
    await sending;
    expect(received).toEqual([1, 2, 3]);
  }, options);
});

test('a broadcast reaches every receiver once', async () => {
  await explore(async (world) => {
    const [tx, first] = broadcast<number>(4);
    const second = tx.subscribe();
    world.events('values', [1, 2], (value) => void tx.send(value));
    const collect = async (rx: typeof first) => [await rx.recv(), await rx.recv()];
    expect(await Promise.all([collect(first), collect(second)])).toEqual([
      [1, 2],
      [1, 2],
    ]);
  }, options);
});

test('`select` consumes only the branch that wins', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const [tx, rx] = channel<string>(4);
      const [answer, question] = oneshot<string>();
      world.events('jobs', ['a', 'b'], (job) => void tx.trySend(job));
      world.events('answers', ['yes'], (text) => void answer.send(text));
      const seen: string[] = [];
      const took = async () => {
        const next = await select({ job: rx, answer: question, tick: sleep(100) }, { signal });
        if (next.branch !== 'tick') seen.push(String(next.value));
      };
      await took();
      await world.rest();
      const left = rx.tryRecv();
      if (left.ok) seen.push(left.value);
      expect(new Set(seen).size).toBe(seen.length);
      rx.close();
      question.close();
    },
    { ...options, leftovers: 'fail' },
  );
});

test('`timeout` cancels and awaits its function', async () => {
  await cancelEverywhere(async (world, signal) => {
    const connect = world.external('connect', () => world.resource('connection'));
    await timeout(
      50,
      async (token) => {
        const connection = await connect({ signal: token.signal });
        await select({ slept: sleep(20) }, { signal: token }).finally(() => connection.close());
      },
      { signal },
    ).catch((error: unknown) => {
      if ((error as Error).name !== 'TimeoutError') throw error;
    });
  }, options);
});

test('a scope ends its tasks and cleanups before it settles', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const connect = world.external('connect', () => world.resource('connection'));
      const send = world.external('send', ['ok'], { failures: [new Error('reset')] });
      await scope(
        async (s) => {
          const connection = await connect({ signal: s.token.signal });
          s.defer(() => connection.close());
          for (const id of [1, 2]) s.spawn((token) => send(id, { signal: token.signal }));
        },
        { signal },
      ).catch((error: unknown) => {
        if ((error as Error).message !== 'reset') throw error;
      });
    },
    { ...options, outcome: 'any' },
  );
});

test('a tracker waits for the work that it counts', async () => {
  await explore(async (world) => {
    const load = world.external('load', ['page']);
    const tracker = new TaskTracker();
    let done = 0;
    for (const id of [1, 2]) {
      void tracker.spawn(async () => {
        await load(id);
        done++;
      });
    }
    tracker.close();
    await tracker.wait();
    expect(done).toBe(2);
  }, options);
});

test('a watch gives the latest value', async () => {
  await explore(async (world) => {
    const [tx, rx] = watch(0);
    world.events('values', [1, 2], (value) => void tx.send(value));
    let latest = 0;
    while (latest < 2) latest = await rx.changed();
    expect(latest).toBe(2);
  }, options);
});

test('a pool of resources closes what it has made, also when it is closed at any time', async () => {
  await explore(async (world) => {
    const connect = world.external('connect', () => world.resource('connection'), { abortable: false });
    const query = world.external('query', ['rows']);
    const pool = new ResourcePool({
      create: () => connect(),
      close: (connection) => connection.close(),
      max: 1,
    });
    let closing: Promise<unknown> | undefined;
    const close = () => {
      closing ??= pool.shutdown({ timeout: 1_000 });
      return closing;
    };
    world.anytime('pool.shutdown()', () => void close());
    await Promise.allSettled([1, 2].map((id) => pool.use(() => query(id))));
    await close();
  }, options);
});

test('a pool of workers finishes what it accepted', async () => {
  await explore(async (world) => {
    const work = world.external('work', ['done']);
    const pool = new WorkerPool({ concurrency: 1 });
    let accepted = 0;
    let done = 0;
    world.anytime('pool.stop()', () => pool.stop());
    await Promise.allSettled(
      [1, 2].map((id) =>
        pool.execute(async () => {
          accepted++;
          await work(id);
          done++;
        }),
      ),
    );
    await pool.shutdown({ timeout: 10_000 });
    expect(done).toBe(accepted);
  }, options);
});

test('a shutdown that is requested at any time runs its hooks once', async () => {
  await explore(async (world) => {
    const flush = world.external('flush', ['ok'], { within: 500 });
    const shutdown = new Shutdown();
    let hooks = 0;
    shutdown.hook('flush', async () => {
      hooks++;
      await flush();
    });
    world.anytime('SIGTERM', () => shutdown.request('SIGTERM'));
    await world.external('work', ['done'])();
    shutdown.request('done');
    await shutdown.stopped();
    expect(hooks).toBe(1);
  }, options);
});
