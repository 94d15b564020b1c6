// Programs beyond the corpus of the contract, each with a bug that is common in services and pages.

import { EventEmitter, once } from 'node:events';
import { check, type Program } from './program.ts';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export const further: readonly Program[] = [
  {
    name: 'a cache stores what it loaded before an invalidation',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let price = 1;
      const load = world.external('load', () => price);
      const cache = new Map<string, number>();
      let version = 0;
      const get = async () => {
        const before = version;
        const value = cache.get('price') ?? (await load());
        if (!isFixed || before === version) cache.set('price', value);
        return value;
      };
      const update = async () => {
        await world.external('update', () => {
          price = 2;
        })();
        version++;
        cache.delete('price');
      };
      await Promise.all([get(), update()]);
      check((await get()) === 2, 'the cache has an old price');
    },
  },
  {
    name: 'a semaphore by hand lets a newcomer pass a woken waiter',
    kind: 'invariant',
    test: (isFixed) => async (world) => {
      const work = world.external('work', ['done']);
      const waiters: (() => void)[] = [];
      let free = 1;
      let inside = 0;
      world.always('one at a time', () => inside <= 1);
      const job = async (id: number) => {
        await work(`before ${id}`);
        if (free === 0) {
          await new Promise<void>((resolve) => waiters.push(resolve));
          if (!isFixed) {
            await work(`log ${id}`);
            free--;
          }
        } else free--;
        inside++;
        await work(id);
        inside--;
        const next = waiters.shift();
        // Fixed: the permit goes to the waiter, and is never free.
        if (!isFixed || next === undefined) free++;
        next?.();
      };
      const late = async () => {
        await work('before late');
        await job(3);
      };
      await Promise.all([job(1), job(2), late()]);
    },
  },
  {
    name: 'a listener for `ready` is added after the event',
    kind: 'stuck',
    test: (isFixed) => async (world) => {
      const emitter = new EventEmitter();
      const authenticate = world.external('authenticate', ['ok']);
      world.events('socket', ['ready'], (event) => void emitter.emit(event));
      const ready = isFixed ? once(emitter, 'ready') : undefined;
      await authenticate();
      await (ready ?? once(emitter, 'ready'));
    },
  },
  {
    name: 'an async iterator without `return` leaves its subscription',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const fetchPage = world.external('page', (page: number) => page * 10);
      const pages = () => {
        const subscription = world.resource('subscription');
        let page = 0;
        return {
          async next() {
            if (page === 2) {
              subscription.close();
              return { done: true as const, value: undefined };
            }
            return { done: false as const, value: await fetchPage(++page) };
          },
          ...(isFixed && {
            async return() {
              subscription.close();
              return { done: true as const, value: undefined };
            },
          }),
          [Symbol.asyncIterator]() {
            return this;
          },
        };
      };
      for await (const _ of pages()) if (world.choose('found', [false, true])) break;
    },
  },
  {
    name: 'a socket reconnects for its error and again for its close',
    kind: 'invariant',
    test: (isFixed) => async (world) => {
      const connect = world.external('connect', ['socket']);
      let open = 1;
      let isConnecting = false;
      world.always('one socket', () => open <= 1);
      const reconnect = async () => {
        if (isFixed && isConnecting) return;
        isConnecting = true;
        await connect();
        open++;
        isConnecting = false;
      };
      const ends: Promise<void>[] = [];
      world.events('old socket', ['error', 'close'], (event) => {
        if (event === 'error' || isFixed) open = Math.min(open, 0);
        if (event === 'error' || !isFixed) ends.push(reconnect());
      });
      await world.rest();
      await Promise.all(ends);
    },
  },
  {
    name: 'a batching loader drops the keys that came during a request',
    kind: 'stuck',
    test: (isFixed) => async (world) => {
      const fetchAll = world.external('fetch', (keys: string[]) => keys.map((key) => `value of ${key}`));
      let queue: { key: string; resolve: (value: string | undefined) => void }[] = [];
      let isRunning = false;
      const flush = async () => {
        if (isRunning) return;
        isRunning = true;
        while (queue.length > 0) {
          const batch = queue;
          if (isFixed) queue = [];
          const values = await fetchAll(batch.map(({ key }) => key));
          if (!isFixed) queue = [];
          for (const [i, value] of values.entries()) batch[i]?.resolve(value);
        }
        isRunning = false;
      };
      const load = (key: string) =>
        new Promise<string | undefined>((resolve) => {
          // Fixed: an array of its own for each batch.
          queue = [...queue, { key, resolve }];
          void flush();
        });
      const render = world.external('render', ['list']);
      const list = async () => {
        await render();
        return load('b');
      };
      check((await Promise.all([load('a'), list()]))[1] === 'value of b', 'another value');
    },
  },
  {
    name: 'a writer waits for `drain` after it has come',
    kind: 'stuck',
    test: (isFixed) => async (world) => {
      const emitter = new EventEmitter();
      const log = world.external('log', ['logged']);
      let isFull = true;
      world.events('stream', ['drain'], () => {
        isFull = false;
        emitter.emit('drain');
      });
      if (isFull) {
        await log('waiting for the stream');
        if (!isFixed || isFull) await once(emitter, 'drain');
      }
    },
  },
  {
    name: 'a request with `AbortSignal.any` is tried again after the user has cancelled',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      let callsAfter = 0;
      const get = world.external('GET /', (_: number) => 'page', { within: 500 });
      world.atEnd(() => check(callsAfter === 0, 'a request after the cancellation'));
      for (let attempt = 1; ; attempt++) {
        if (signal.aborted) callsAfter++;
        try {
          return await get(attempt, { signal: AbortSignal.any([signal, AbortSignal.timeout(100)]) });
        } catch (error) {
          if (attempt === 3) throw error;
          if (isFixed ? signal.aborted : (error as Error).name !== 'TimeoutError' && attempt > 1) throw error;
        }
      }
    },
  },
  {
    name: 'two callers of `close` both release',
    kind: 'resource',
    test: (isFixed) => async (world) => {
      const flush = world.external('flush', ['flushed']);
      const connection = world.resource('connection');
      let isClosed = false;
      let closing: Promise<void> | undefined;
      const release = async () => {
        if (isClosed) return;
        await flush();
        isClosed = true;
        connection.close();
      };
      const close = () => {
        if (!isFixed) return release();
        closing ??= release();
        return closing;
      };
      let other: Promise<void> | undefined;
      world.anytime('SIGTERM', () => {
        other = close();
      });
      await world.external('work', ['done'])();
      await close();
      await other;
    },
  },
  {
    name: 'two requests take the last token of a bucket',
    kind: 'invariant',
    test: (isFixed) => async (world) => {
      const send = world.external('send', ['sent']);
      let tokens = 1;
      world.always('no token is taken twice', () => tokens >= 0);
      const refill = setInterval(() => {
        tokens = Math.min(tokens + 1, 1);
      }, 100);
      const request = async (id: number) => {
        while (tokens < 1) await sleep(100);
        if (!isFixed) await null;
        tokens--;
        await send(id);
      };
      await Promise.all([request(1), request(2)]);
      clearInterval(refill);
    },
  },
  {
    name: 'a failed load stays cached',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const load = world.external('load', () => 'config', { failures: [new Error('offline')] });
      let cached: Promise<string> | undefined;
      const get = () => {
        cached ??= load().catch((error) => {
          if (isFixed) cached = undefined;
          throw error;
        });
        return cached;
      };
      const first = get();
      await first.catch(() => {});
      const before = cached;
      const isSame = await get().then(
        () => before === first,
        () => before === first && cached === first,
      );
      check(!isSame || (await first.catch(() => undefined)) !== undefined, 'the failure is cached');
    },
  },
  {
    name: 'the rollback of an optimistic update undoes a later one',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const save = world.external('save', (_: string) => 'ok', { failures: [new Error('conflict')] });
      let shown = 'old';
      let version = 0;
      let expected = 'old';
      const edit = async (text: string) => {
        const before = shown;
        const mine = ++version;
        shown = text;
        await save(text).then(
          () => {
            expected = text;
          },
          () => {
            if (!isFixed || version === mine) shown = before;
          },
        );
      };
      await Promise.all([edit('a'), edit('b')]);
      // The newest edit that was saved must be shown, or what was there before it.
      if (expected === 'b') check(shown === 'b', `shown: ${shown}`);
    },
  },
  {
    name: 'a worker that waits for a job does not see that it was stopped',
    kind: 'stuck',
    test: (isFixed) => async (world) => {
      const work = world.external('work', ['done']);
      const jobs: number[] = [];
      let wake: (() => void) | undefined;
      let isStopped = false;
      world.events('jobs', [1, 2], (job) => {
        jobs.push(job);
        wake?.();
      });
      const worker = async () => {
        while (!isStopped) {
          const job = jobs.shift();
          if (job !== undefined) await work(job);
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      };
      const running = worker();
      await world.external('deploy', ['new version'])();
      isStopped = true;
      if (isFixed) wake?.();
      await running;
    },
  },
  {
    name: 'a connection that arrives after its timeout stays open',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const connect = world.external('connect', () => world.resource('connection'), { abortable: false });
      let isLate = false;
      const connecting = connect();
      const connection = await Promise.race([connecting, sleep(100).then(() => undefined)]);
      if (connection === undefined) {
        isLate = true;
        const late = connecting.then((value) => {
          if (isFixed) value.close();
        });
        await late;
        return;
      }
      check(!isLate, 'late');
      connection.close();
      await world.rest();
    },
  },
  {
    name: 'a heartbeat goes on after a failure',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const send = world.external('send', ['sent'], { failures: [new Error('reset')] });
      const beat = setInterval(() => {}, 1_000);
      try {
        await send();
        if (!isFixed) clearInterval(beat);
      } catch (error) {
        world.log(String(error));
      } finally {
        if (isFixed) clearInterval(beat);
      }
    },
  },
  {
    name: 'a page is listed twice when an entry comes between two requests',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const entries = [3, 2, 1];
      const list = world.external('list', (from: number) => entries.slice(from, from + 2));
      const listBelow = world.external('list below', (id: number) => entries.filter((entry) => entry < id).slice(0, 2));
      const add = world.external('add', () => void entries.unshift(4));
      const read = async () => {
        const first = await list(0);
        return [...first, ...(isFixed ? await listBelow(first[1] ?? 0) : await list(2))];
      };
      const [seen] = await Promise.all([read(), add()]);
      check(new Set(seen).size === seen.length, `seen: ${seen}`);
    },
  },
];
