import { check, type Program } from './program.ts';

const never = new AbortController().signal;

export const everyday: readonly Program[] = [
  {
    name: 'stale result',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const get = world.external('GET /search', (query: string) => `hit for ${query}`);
      let latest = 0;
      let shown = '';
      const type = async (query: string) => {
        const request = ++latest;
        const hit = await get(query);
        if (!isFixed || request === latest) shown = hit;
      };
      await Promise.all([type('a'), type('ab')]);
      check(shown === 'hit for ab', `shown ${shown}`);
    },
  },
  {
    name: 'check-then-act',
    kind: 'end',
    test: (isFixed) => async (world) => {
      const accounts = new Map([['a', 100]]);
      const read = world.external('read', (id: string) => accounts.get(id) ?? 0);
      const write = world.external('write', (id: string, value: number) => void accounts.set(id, value));
      const debit = world.external('debit', (id: string, amount: number) => {
        const balance = accounts.get(id) ?? 0;
        if (balance < amount) return false;
        accounts.set(id, balance - amount);
        return true;
      });
      let paid = 0;
      const withdraw = async (amount: number) => {
        if (isFixed) {
          if (await debit('a', amount)) paid += amount;
          return;
        }
        const balance = await read('a');
        if (balance < amount) return;
        await write('a', balance - amount);
        paid += amount;
      };
      world.atEnd(() => check(paid + (accounts.get('a') ?? 0) === 100, `paid ${paid}`));
      await Promise.all([withdraw(80), withdraw(80)]);
    },
  },
  {
    name: 'lost wake-up',
    kind: 'stuck',
    test: (isFixed) => async (world) => {
      const poll = world.external('poll', () => undefined);
      const items: string[] = [];
      let wake: (() => void) | undefined;
      const consume = async () => {
        while (items.length === 0) {
          await poll();
          if (isFixed && items.length > 0) break;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return items.shift();
      };
      world.events('queue', ['job'], (job) => {
        items.push(job);
        wake?.();
      });
      check((await consume()) === 'job', 'another item');
    },
  },
  {
    name: 'cancel during acquire',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      let free = 1;
      const waiters: (() => void)[] = [];
      const acquire = (cancel: AbortSignal): Promise<void> => {
        cancel.throwIfAborted();
        if (free > 0) {
          free--;
          return Promise.resolve();
        }
        return new Promise((resolve, reject) => {
          const grant = () => {
            cancel.removeEventListener('abort', abort);
            resolve();
          };
          const abort = () => {
            if (isFixed) waiters.splice(waiters.indexOf(grant), 1);
            reject(cancel.reason);
          };
          waiters.push(grant);
          cancel.addEventListener('abort', abort, { once: true });
        });
      };
      const release = () => {
        const next = waiters.shift();
        if (next === undefined) free++;
        else next();
      };
      const work = world.external('work', ['done'], { abortable: false });
      world.held('permits', () => 1 - free);
      const job = async (cancel: AbortSignal) => {
        await acquire(cancel);
        try {
          await work();
        } finally {
          release();
        }
      };
      const [, second] = await Promise.allSettled([job(never), job(signal)]);
      if (second.status === 'rejected') throw second.reason;
    },
  },
  {
    name: 'cleanup skipped',
    kind: 'left behind',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      const connect = world.external('connect', () => world.resource('connection'));
      const send = world.external('send', ['ok']);
      const connection = await connect({ signal });
      if (!isFixed) {
        await send({ signal });
        connection.close();
        return;
      }
      try {
        await send({ signal });
      } finally {
        connection.close();
      }
    },
  },
  {
    name: 'retry after abort',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      let callsAfterAbort = 0;
      const get = world.external('get', ['ok'], { failures: [new Error('503')] });
      world.atEnd(() => check(callsAfterAbort === 0, 'a call after the abort'));
      for (let attempt = 0; ; attempt++) {
        try {
          if (isFixed) signal.throwIfAborted();
          if (signal.aborted) callsAfterAbort++;
          return await get({ signal });
        } catch (error) {
          if (signal.aborted && isFixed) throw signal.reason;
          if (attempt === 2) throw error;
        }
      }
    },
  },
  {
    name: 'listener after abort',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const load = world.external('load', ['page']);
      const signal = world.signal('request');
      const withAbort = <T>(promise: Promise<T>) =>
        new Promise<T>((resolve, reject) => {
          const onAbort = () => reject(signal.reason);
          signal.addEventListener('abort', onAbort);
          promise
            .finally(() => {
              if (isFixed) signal.removeEventListener('abort', onAbort);
            })
            .then(resolve, reject);
        });
      await withAbort(load()).catch((error) => check(signal.aborted, String(error)));
      await world.rest();
    },
  },
  {
    name: 'duplicate subscription',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const listeners = new Set<object>();
      const subscribe = world.external('subscribe', () => undefined);
      let isSubscribed = false;
      let pending: Promise<void> | undefined;
      const ensure = async () => {
        if (isFixed) {
          pending ??= subscribe().then(() => void listeners.add({}));
          return pending;
        }
        if (isSubscribed) return;
        await subscribe();
        isSubscribed = true;
        listeners.add({});
      };
      await Promise.all([ensure(), ensure()]);
      check(listeners.size === 1, `${listeners.size} listeners`);
    },
  },
  {
    name: 'debounced save lost',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let saved = '';
      const save = world.external('save', (text: string) => {
        saved = text;
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      let text = '';
      let isSaving = false;
      const flush = async (): Promise<void> => {
        if (isSaving) {
          if (isFixed) edit(text);
          return;
        }
        isSaving = true;
        await save(text);
        isSaving = false;
      };
      const edit = (next: string) => {
        text = next;
        clearTimeout(timer);
        timer = setTimeout(flush, 300);
      };
      void flush();
      world.events('keys', ['a'], edit);
      await world.rest();
      check(saved === 'a', `saved ${saved}`);
    },
  },
  {
    name: 'released twice',
    kind: 'resource',
    test: (isFixed) => async (world) => {
      const connection = world.resource('connection');
      const query = world.external('query', ['rows']);
      const signal = world.signal('timeout');
      const close = () => {
        if (isFixed && !connection.isOpen) return;
        connection.close();
      };
      signal.addEventListener('abort', close, { once: true });
      try {
        await query();
      } finally {
        close();
        signal.removeEventListener('abort', close);
      }
    },
  },
  {
    name: 'shutdown while connecting',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const connect = world.external('connect', () => world.resource('socket'), { abortable: false });
      let isStopped = false;
      let socket: { close(): void } | undefined;
      const start = async () => {
        const made = await connect();
        if (isFixed && isStopped) made.close();
        else socket = made;
      };
      world.anytime('stop()', () => {
        isStopped = true;
        socket?.close();
        socket = undefined;
      });
      await start();
      if (!isStopped) socket?.close();
      socket = undefined;
    },
  },
  {
    name: 'frames of an old socket',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let current = 0;
      const shown: string[] = [];
      const open = (id: number, frames: string[]) => {
        current = id;
        world.events(`socket ${id}`, frames, (frame) => {
          if (isFixed && id !== current) return;
          shown.push(frame);
        });
      };
      open(1, ['old']);
      await world.external('reconnect', ['ok'])();
      open(2, ['new']);
      await world.rest();
      check(shown.at(-1) === 'new', `shown ${shown}`);
    },
  },
  {
    name: 'refresh stampede',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let refreshes = 0;
      let token = 'expired';
      const refresh = world.external('refresh', () => {
        refreshes++;
        return 'fresh';
      });
      const get = world.external('get', (used: string) => used === 'fresh');
      let pending: Promise<void> | undefined;
      const request = async () => {
        const used = token;
        if (await get(used)) return;
        if (isFixed) {
          if (token !== used) return;
          pending ??= refresh().then((next) => {
            token = next;
            pending = undefined;
          });
          await pending;
        } else if (token === 'expired') token = await refresh();
      };
      await Promise.all([request(), request()]);
      check(refreshes === 1, `${refreshes} refreshes`);
    },
  },
  {
    name: 'item lost on cancel',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      const queue: string[] = [];
      let handled = 0;
      let wake: (() => void) | undefined;
      world.events('jobs', ['a', 'b'], (job) => {
        queue.push(job);
        wake?.();
      });
      const arrived = () =>
        new Promise<void>((resolve, reject) => {
          const abort = () => reject(signal.reason);
          signal.addEventListener('abort', abort, { once: true });
          wake = () => {
            wake = undefined;
            signal.removeEventListener('abort', abort);
            resolve();
          };
        });
      const store = world.external('store', ['ok'], { abortable: false });
      let taken = 0;
      world.atEnd(() => check(taken === handled, `${taken} taken, ${handled} handled`));
      while (handled < 2) {
        signal.throwIfAborted();
        if (queue.length === 0) await arrived();
        if (isFixed) signal.throwIfAborted();
        const job = queue.shift();
        if (job === undefined) continue;
        taken++;
        if (!isFixed) signal.throwIfAborted();
        await store(job);
        handled++;
      }
    },
  },
  {
    name: 'timer after dispose',
    kind: 'left behind',
    test: (isFixed) => async (world) => {
      const load = world.external('load', ['value']);
      let isDisposed = false;
      let timer: ReturnType<typeof setInterval> | undefined;
      const start = async () => {
        await load();
        if (isFixed && isDisposed) return;
        timer = setInterval(() => {}, 1_000);
      };
      world.anytime('dispose()', () => {
        isDisposed = true;
        clearInterval(timer);
      });
      await start();
      if (!isDisposed) clearInterval(timer);
    },
  },
];
