import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel } from '@quiesce/channel';
import { type MapProgress, scope } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn } from './vocabulary.ts';

const sleep = (clock: VirtualClock, ms: number): Promise<void> =>
  new Promise((resolve) => clock.setTimer(ms, resolve, { ref: true }));

describe('map of an async iterable', () => {
  it('takes an item when another one has ended, and gives the results in the order of the items', async () => {
    const clock = new VirtualClock();
    const taken: string[] = [];
    async function* items() {
      for (const ms of [30, 10, 20]) {
        taken.push(`${ms} at ${clock.now()}`);
        yield ms;
      }
    }
    const work = (ms: number) => sleep(clock, ms).then(() => ms);
    expect(await clock.run(() => scope((s) => s.map(items(), work, { concurrency: 2 })))).toEqual([30, 10, 20]);
    expect(taken).toEqual(['30 at 0', '10 at 0', '20 at 10']);
  });

  it('calls `next` one at a time, and closes the iterator once after a failure', async () => {
    const calls: string[] = [];
    let pending = 0;
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          expect(++pending).toBe(1);
          await turn();
          pending--;
          return { done: false, value: calls.push('next') };
        },
        return: async () => {
          calls.push('return');
          return { done: true, value: undefined };
        },
      }),
    };
    const failure = new Error('third');
    const work = async (n: number) => {
      if (n === 3) throw failure;
    };
    expect(await rejection(scope((s) => s.map(items, work, { concurrency: 9 })))).toBe(failure);
    expect(calls.filter((call) => call === 'return')).toEqual(['return']);
  });

  it.each([
    ['an iterator', { [Symbol.iterator]: () => ({ next: () => 5 }) }],
    ['an async iterator', { [Symbol.asyncIterator]: () => ({ next: async () => 5 }) }],
  ])('refuses %s whose results are no objects, which would never end', async (_, items) => {
    const error = await rejection(scope((s) => s.map(items as unknown as Iterable<unknown>, () => {})));
    expect(String(error)).toBe('TypeError: next() of the items: expected an object, got the number 5');
  });

  it('gives up an iterator that does not close within the `cleanupTimeout` of the scope', async () => {
    const clock = new VirtualClock();
    let i = 0;
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: i++ }),
        return: () => new Promise(() => {}),
      }),
    };
    const work = async (n: number) => {
      if (n === 1) throw new Error('work');
    };
    const running = clock.run(() =>
      rejection(scope((s) => s.map(items, work, { concurrency: 1 }), { clock, cleanupTimeout: 50 })),
    );
    expect(await running).toMatchObject({
      errors: [{ message: 'work' }, { name: 'CleanupTimeoutError', unfinished: [{ name: 'close the iterator' }] }],
    });
    expect(clock.now()).toBe(50);
  });

  it('fails with the error of the iterator, which it does not close again', async () => {
    const failure = new Error('disk');
    let isClosed = false;
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(failure),
        return: async () => {
          isClosed = true;
          return { done: true, value: undefined };
        },
      }),
    };
    expect(await rejection(scope((s) => s.map(items, () => {})))).toBe(failure);
    expect(isClosed).toBe(false);
  });

  it('is cancelled while it waits for an item, and a receiver then keeps its next value', async () => {
    const [tx, rx] = channel<number>(4);
    const signal = new CancellationToken();
    const running = rejection(scope((s) => s.map(rx.values(), () => {}), { signal }));
    await turn();
    signal.cancel('deploy');
    expect(await running).toBe('deploy');
    await tx.send(1);
    expect(rx.length).toBe(1);
  });
});

describe('map with `stopSignal`', () => {
  it('starts no more items, awaits the running ones, and fulfils with the results of the first items', async () => {
    const clock = new VirtualClock();
    const stop = new CancellationToken();
    const work = async (n: number, token: CancellationToken) => {
      await sleep(clock, 10);
      return `${n} ${token.isCancelled}`;
    };
    const running = scope((s) => s.map([1, 2, 3, 4, 5], work, { concurrency: 2, stopSignal: stop }));
    await clock.advance(15);
    stop.cancel();
    await clock.advance(10);
    expect(await running).toEqual(['1 false', '2 false', '3 false', '4 false']);
  });

  it('starts nothing when it is cancelled already', async () => {
    const work = () => expect.unreachable();
    expect(await scope((s) => s.map([1], work, { stopSignal: AbortSignal.abort() }))).toEqual([]);
  });

  it('ends a pending `next` of a receiver, which loses no value', async () => {
    const [tx, rx] = channel<number>(4);
    const stop = new CancellationToken();
    await tx.send(1);
    const running = scope((s) => s.map(rx.values(), (n) => n, { stopSignal: stop }));
    await turn();
    stop.cancel();
    await tx.send(2);
    expect(await running).toEqual([1]);
    expect(rx.tryRecv()).toMatchObject({ value: 2 });
  });

  it('still runs an item that was on its way', async () => {
    const stop = new CancellationToken();
    const { work: arrives, fulfil } = deaf<number>();
    async function* items() {
      yield await arrives();
      yield expect.unreachable() as never;
    }
    const running = scope((s) => s.map(items(), (n) => n, { stopSignal: stop }));
    stop.cancel();
    fulfil(7);
    expect(await running).toEqual([7]);
  });

  it('leaves nothing on a stop signal that lives on', async () => {
    const { signal } = new AbortController();
    let count = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      count++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      count--;
      remove(...args);
    };
    await scope((s) => s.map([1, 2, 3], async (n) => n, { stopSignal: signal }));
    expect(count).toBe(0);
  });
});

describe('the time limit of an item', () => {
  it('cancels its token, and a TimeoutError that it throws fails the map', async () => {
    const clock = new VirtualClock();
    const work = async (n: number, token: CancellationToken) => {
      if (n === 1) return 'quick';
      await token.cancelled();
      throw token.reason;
    };
    const running = clock.run(() => rejection(scope((s) => s.map([1, 2], work, { timeout: 5 }), { clock })));
    expect(await running).toBeInstanceOf(TimeoutError);
    expect([clock.now(), clock.pendingCount]).toEqual([5, 0]);
  });

  it('leaves a result that the item still returns', async () => {
    const clock = new VirtualClock();
    const work = async (_: number, token: CancellationToken) => {
      await token.cancelled();
      return 'partial';
    };
    expect(await clock.run(() => scope((s) => s.map([1], work, { timeout: 5 }), { clock }))).toEqual(['partial']);
  });
});

describe('onProgress', () => {
  it.each([
    ['an array', () => ['a', 'b'], { totalCount: 2 }],
    ['a Set', () => new Set(['a', 'b']), { totalCount: 2 }],
    [
      'a Map',
      () =>
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      { totalCount: 2 },
    ],
    ['a typed array', () => new Uint8Array(2), { totalCount: 2 }],
    ['a generator', () => ['a', 'b'].values(), {}],
  ])('is called when an item of %s starts, and when it has fulfilled', async (_, items, total) => {
    const seen: MapProgress[] = [];
    const onProgress = (progress: MapProgress): void => void seen.push(progress);
    await scope((s) => s.map<unknown, void>(items(), async () => {}, { concurrency: 1, onProgress }));
    expect(seen).toEqual([
      { completedCount: 0, runningCount: 1, ...total },
      { completedCount: 1, runningCount: 0, ...total },
      { completedCount: 1, runningCount: 1, ...total },
      { completedCount: 2, runningCount: 0, ...total },
    ]);
  });

  it('has the current number of an array that grows', async () => {
    const items = [1];
    const totals: (number | undefined)[] = [];
    const work = (n: number) => (n < 3 ? items.push(n + 1) : 0);
    const onProgress = ({ totalCount }: MapProgress): void => void totals.push(totalCount);
    await scope((s) => s.map(items, work, { concurrency: 1, onProgress }));
    expect(totals).toEqual([2, 2, 3, 3, 3, 3]);
  });

  it('has no total of a receiver, whose `length` is that of its buffer', async () => {
    const [tx, rx] = channel<string>(2);
    await tx.send('a');
    tx.close();
    const seen: MapProgress[] = [];
    await scope((s) => s.map(rx, () => {}, { onProgress: (progress) => void seen.push(progress) }));
    expect(seen.map(({ totalCount }) => totalCount)).toEqual([undefined, undefined]);
  });

  it('fails the map with its error', async () => {
    const failure = new Error('screen');
    const onProgress = () => {
      throw failure;
    };
    expect(await rejection(scope((s) => s.map([1], () => {}, { onProgress })))).toBe(failure);
  });
});
