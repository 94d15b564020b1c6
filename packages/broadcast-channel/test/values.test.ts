import { broadcast, LaggedError, type OnLag } from '@quiesce/broadcast-channel';
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectValues, now, runEventLoop, sent } from './vocabulary.ts';

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe('for await over a receiver', () => {
  it('yields sent and later values, until the channel is closed and drained', async () => {
    const [tx, rx] = sent(8, 2);
    const all = collect(rx);
    await runEventLoop();
    tx.send(3);
    await runEventLoop();
    tx.send(4);
    tx.send(5);
    tx.close();
    expect(await all).toEqual([1, 2, 3, 4, 5]);
    expectClosed(rx);
  });

  it('ends when the receiver is disposed while it waits', async () => {
    const [, rx] = sent(8, 1);
    const all = collect(rx);
    await runEventLoop();
    rx.dispose();
    expect(await all).toEqual([1]);
  });

  it('ends when its own body disposes the receiver', async () => {
    const [, rx] = sent(8, 3);
    const seen: number[] = [];
    for await (const value of rx) {
      seen.push(value);
      rx.dispose();
    }
    expect(seen).toEqual([1]);
  });

  it('ends when `using` disposes its receiver while it waits', async () => {
    const tx = broadcast.sender<number>(8);
    let all: Promise<number[]> | undefined;
    {
      using rx = tx.subscribe();
      all = collect(rx);
      await runEventLoop();
      tx.send(1);
      await runEventLoop();
    }
    expect(await all).toEqual([1]);
    expect(tx.receiverCount).toBe(0);
  });

  it('ends at once over a disposed receiver', async () => {
    const [, rx] = sent(8, 1);
    rx.dispose();
    expect(await collect(rx)).toEqual([]);
  });

  it('leaves the receiver open and retains no value when break leaves it', async () => {
    const [tx, rx] = sent(8, 2);
    for await (const value of rx) {
      expect(value).toBe(1);
      break;
    }
    expect(tx.receiverCount).toBe(1);
    expectValues(rx, 2);
    tx.send(3);
    expectValues(rx, 3);
  });

  it('leaves the receiver open and retains no value when an error leaves it', async () => {
    const [tx, rx] = sent(8, 1);
    const error = new Error('body');
    const loop = async (): Promise<void> => {
      for await (const _ of rx) throw error;
    };
    await expect(loop()).rejects.toBe(error);
    tx.send(2);
    expectValues(rx, 2);
  });

  it('can be resumed where it was left', async () => {
    const [tx, rx] = sent(8, 3);
    for await (const value of rx) if (value === 2) break;
    tx.close();
    expect(await collect(rx)).toEqual([3]);
  });

  it('loses no value sent by its own body', async () => {
    const [tx, rx] = sent(8, 1);
    const seen: number[] = [];
    for await (const value of rx) {
      seen.push(value);
      if (value < 5) tx.send(value + 1);
      else tx.close();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('values', () => {
  it.each([undefined, { onLag: 'throw' } as const])(
    'throws a lag by default, and can be resumed: %o',
    async (options) => {
      const [tx, rx] = sent(2, 5);
      const loop = collect(rx.values(options));
      await expect(loop).rejects.toBeInstanceOf(LaggedError);
      await expect(loop).rejects.toMatchObject({ missedCount: 3 });
      tx.close();
      expect(await collect(rx.values(options))).toEqual([4, 5]);
    },
  );

  it('skips a lag silently', async () => {
    const [tx, rx] = sent(2, 5);
    tx.close();
    expect(await collect(rx.values({ onLag: 'skip' }))).toEqual([4, 5]);
  });

  it('calls a function with the number of missed values, once for each gap, and continues', async () => {
    const [tx, rx] = sent(2, 5);
    const missed: number[] = [];
    const seen: number[] = [];
    for await (const value of rx.values({ onLag: (n) => missed.push(n) })) {
      seen.push(value);
      if (value === 5) for (const n of [6, 7, 8]) tx.send(n);
      if (value === 8) tx.close();
    }
    expect(seen).toEqual([4, 5, 7, 8]);
    expect(missed).toEqual([3, 1]);
  });

  it('ends with the error of that function, and the receiver stays usable', async () => {
    const [, rx] = sent(2, 5);
    const error = new Error('no lag, please');
    const onLag = (): never => {
      throw error;
    };
    await expect(collect(rx.values({ onLag }))).rejects.toBe(error);
    expectValues(rx, 4, 5);
  });

  it('reports a lag even after the end of the channel', async () => {
    const [tx, rx] = sent(1, 3);
    tx.close();
    await expect(rx.values().next()).rejects.toMatchObject({ missedCount: 2 });
    expect(await collect(rx)).toEqual([3]);
  });

  it('refuses an invalid onLag before anything is received', () => {
    const [, rx] = sent(2, 1);
    expect(() => rx.values({ onLag: 'ignore' as OnLag })).toThrow(TypeError);
    expect(() => rx.values({ onLag: 'ignore' as OnLag })).toThrow("onLag must be 'throw', 'skip' or a function");
    expectValues(rx, 1);
  });

  it('is its own iterator', () => {
    const [, rx] = sent(2, 0);
    const values = rx.values();
    expect(values[Symbol.asyncIterator]()).toBe(values);
  });
});

describe('an iterator driven by hand', () => {
  it('serves several waiting next() in order, one value each, and ends the others', async () => {
    const [tx, rx] = sent(8, 0);
    const values = rx.values();
    const results = [values.next(), values.next(), values.next()];
    tx.send(1);
    tx.send(2);
    tx.close();
    expect(await Promise.all(results)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined },
    ]);
  });

  it('ends every waiting next() when return is called, and no other receive', async () => {
    const [tx, rx] = sent(8, 0);
    const [values, others] = [rx.values(), rx.values()];
    const waiting = [values.next(), values.next()];
    const kept = [rx.recv(), others.next()];
    waiting.push(values.next());
    await values.return?.();
    for (const result of await Promise.all(waiting)) expect(result).toEqual({ done: true, value: undefined });
    tx.send(1);
    tx.send(2);
    expect(await Promise.all(kept)).toEqual([1, { done: false, value: 2 }]);
    expectEmpty(rx);
  });

  it.each(['skip', () => {}] as const)(
    'yields values in order when two next() start after a lag: %s',
    async (onLag) => {
      const [, rx] = sent(2, 5);
      const values = rx.values({ onLag });
      const both = await Promise.all([values.next(), values.next()]);
      expect(both.map(({ value }) => value)).toEqual([4, 5]);
    },
  );

  it('ends a waiting next() when return is called, with nothing consumed and no waiter left', async () => {
    const [tx, rx] = sent(8, 0);
    const values = rx.values();
    const waiting = values.next();
    expect(await values.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    tx.send(1);
    expectValues(rx, 1);
  });

  it('yields nothing after return', async () => {
    const [tx, rx] = sent(8, 1);
    const values = rx.values();
    await values.return?.();
    expect(await values.next()).toEqual({ done: true, value: undefined });
    expect(await values.return?.()).toEqual({ done: true, value: undefined });
    tx.send(2);
    expectValues(rx, 1, 2);
  });

  it('can be ended by onLag itself, and then consumes nothing', async () => {
    const [, rx] = sent(2, 5);
    const values = rx.values({ onLag: () => void values.return?.() });
    expect(await values.next()).toEqual({ done: true, value: undefined });
    expectValues(rx, 4, 5);
  });

  it('reports done again and again after the end', async () => {
    const [tx, rx] = sent(8, 0);
    const values = rx.values();
    tx.close();
    for (let i = 0; i < 3; i++) expect(await values.next()).toEqual({ done: true, value: undefined });
  });

  it('shares the receiver: two waiting iterators get one value each, in order', async () => {
    const [tx, rx] = sent(8, 0);
    const [a, b] = [rx.values(), rx.values()];
    const waiting = [a.next(), rx.recv(), b.next()];
    for (const n of [1, 2, 3]) tx.send(n);
    expect(await Promise.all(waiting)).toEqual([{ done: false, value: 1 }, 2, { done: false, value: 3 }]);
    expectEmpty(rx);
    expect(await now(a.next())).toBe('pending');
  });
});

describe('values with a signal', () => {
  it('end with its reason, and take no further value', async () => {
    const [tx, rx] = broadcast<string>(4);
    const stop = new CancellationToken();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const value of rx.values({ signal: stop })) seen.push(value);
    })();
    tx.send('one');
    await runEventLoop();
    stop.cancel('deploy');
    tx.send('two');
    await expect(loop).rejects.toBe('deploy');
    expect([seen, await rx.recv()]).toEqual([['one'], 'two']);
    await expect(rx.values({ signal: AbortSignal.abort('late') }).next()).rejects.toBe('late');
    expect(() => rx.values({ signal: {} as never })).toThrow(TypeError);
  });

  it('do not treat a ClosedError that is its reason as the end', async () => {
    const [, rx] = broadcast<number>(2);
    const reason = new ClosedError('the database is closed');
    const stop = new CancellationToken();
    const values = rx.values({ signal: stop });
    const nexts = [values.next(), values.next()].map((next) => next.catch((error: unknown) => error));
    stop.cancel(reason);
    expect(await Promise.all(nexts)).toEqual([reason, reason]);
    await expect(values.next()).rejects.toBe(reason);
  });

  it('yield the value that was taken when the report of a lag cancels it', async () => {
    const [tx, rx] = broadcast<number>(1);
    const stop = new CancellationToken();
    const values = rx.values({ signal: stop, onLag: () => stop.cancel('lagged') });
    const next = values.next();
    tx.send(1);
    expect((await next).value).toBe(1);
    for (const n of [2, 3]) tx.send(n);
    expect((await values.next()).value).toBe(3);
    await expect(values.next()).rejects.toBe('lagged');
  });

  it('end with `return()`, and with the block that disposes of them', async () => {
    const [tx, rx] = broadcast<number>(1);
    const waiting: Promise<unknown>[] = [];
    {
      await using values = rx.values({ signal: new CancellationToken() });
      waiting.push(values.next(), values.next());
    }
    expect(await Promise.all(waiting)).toEqual(Array(2).fill({ done: true, value: undefined }));
    tx.send(1);
    expect(await rx.recv()).toBe(1);
  });
});

it('an iterator passes on an error that is thrown into a generator that delegates to it', async () => {
  const [tx, rx] = broadcast<string>(4);
  async function* delegating() {
    yield* rx;
  }
  const outer = delegating();
  tx.send('one');
  expect((await outer.next()).value).toBe('one');
  const failure = new Error('the reader failed');
  await expect(outer.throw(failure)).rejects.toBe(failure);
  tx.send('two');
  expect(await rx.recv()).toBe('two');
});
