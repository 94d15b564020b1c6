// Iterating over a receiver: with a signal, by delegation, and to the end of a block.
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { channel, watch } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { expectValues, now, rejection, runEventLoop } from './vocabulary.ts';

const makers = {
  'of a channel': () => {
    const [tx, rx] = channel<string>(8);
    return { rx, send: (value: string) => void tx.trySend(value), close: () => tx.close() };
  },
  'of a watch': () => {
    const [tx, rx] = watch('');
    return { rx, send: (value: string) => void tx.send(value), close: () => tx.close() };
  },
};

describe.each(Object.entries(makers))('the values %s', (_, make) => {
  it('end with the reason of a signal, and take no further value', async () => {
    const { rx, send } = make();
    const stop = new CancellationToken();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const value of rx.values({ signal: stop })) seen.push(value);
    })();
    await runEventLoop();
    send('one');
    await runEventLoop();
    stop.cancel('deploy');
    send('two');
    expect([await rejection(loop), seen]).toEqual(['deploy', ['one']]);
    expect(await rx.values().next()).toEqual({ done: false, value: 'two' });
  });

  it('do not treat a ClosedError that is the reason of their signal as the end', async () => {
    const { rx, close } = make();
    const reason = new ClosedError('the database is closed');
    const stop = new CancellationToken();
    const [waiting, later] = [rx.values({ signal: stop.childToken() }), rx.values({ signal: stop.signal })];
    const nexts = [waiting.next(), waiting.next(), later.next()].map(rejection);
    stop.cancel(reason);
    expect(await Promise.all(nexts)).toEqual([reason, reason, reason]);
    close();
    expect(await rejection(waiting.next())).toBe(reason);
    expect(await rejection(rx.values({ signal: stop }).next())).toBe(reason);
    expect(await rx.values({ signal: new CancellationToken() }).next()).toEqual({ done: true, value: undefined });
  });

  it('do not start when the signal is already cancelled, and accept an AbortSignal', async () => {
    const { rx, send } = make();
    send('one');
    const values = rx.values({ signal: AbortSignal.abort('late') });
    expect(await rejection(values.next())).toBe('late');
    expect(await rx.values().next()).toEqual({ done: false, value: 'one' });
    expect(() => rx.values({ signal: {} as never })).toThrow(TypeError);
  });

  it('end when the channel ends, also with a signal', async () => {
    const { rx, close } = make();
    const next = rx.values({ signal: new CancellationToken() }).next();
    await runEventLoop();
    close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('end each waiting `next()` when `return()` is called, also with a signal', async () => {
    const { rx, send } = make();
    for (const options of [undefined, { signal: new CancellationToken() }]) {
      const values = rx.values(options);
      const waiting = [values.next(), values.next()];
      await values.return?.();
      expect(await Promise.all(waiting)).toEqual(Array(2).fill({ done: true, value: undefined }));
    }
    send('one');
    expect(await rx.values().next()).toEqual({ done: false, value: 'one' });
  });

  it('pass on an error that is thrown into a generator that delegates to them', async () => {
    const { rx, send } = make();
    async function* delegating() {
      yield* rx;
    }
    const outer = delegating();
    const first = outer.next();
    await runEventLoop();
    send('one');
    expect((await first).value).toBe('one');
    const failure = new Error('the reader failed');
    expect(await rejection(outer.throw(failure))).toBe(failure);
    send('two');
    expect(await rx.values().next()).toEqual({ done: false, value: 'two' });
  });

  it('end with the block that disposes of them, and leave the receiver open', async () => {
    const { rx, send } = make();
    const waiting: Promise<unknown>[] = [];
    {
      await using values = rx.values();
      waiting.push(values.next());
    }
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    send('one');
    expect(await rx.values().next()).toEqual({ done: false, value: 'one' });
  });
});

describe('many waits for changes on one receiver', () => {
  it('get one change each, first come, first served, and each change wakes no more than one', async () => {
    const [tx, rx] = watch(0);
    const count = 2_000;
    const waiting = Array.from({ length: count }, () => rx.changed());
    let polls = 0;
    const { watchCursor } = rx as unknown as { watchCursor: { poll(): unknown } };
    const poll = watchCursor.poll.bind(watchCursor);
    watchCursor.poll = () => {
      polls++;
      return poll();
    };
    for (let n = 1; n <= count; n++) tx.send(n);
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    // All of them at each change would be two millions.
    expect(polls).toBeLessThan(4 * count);
  });

  it('all settle at the end', async () => {
    const [tx, rx] = watch(0);
    const waiting = [rx.changed(), rx.waitFor((n) => n > 5), rx.changed()];
    tx.close();
    for (const each of waiting) expect(await rejection(each)).toMatchObject({ name: 'ClosedError' });
  });

  it('do not take changes from waits with a predicate, which see every change', async () => {
    const [tx, rx] = watch(0);
    const shown: number[] = [];
    const big = rx.waitFor((n) => shown.push(n) > 0 && n > 2);
    const changes = [rx.changed(), rx.changed()];
    for (const n of [1, 2, 3]) tx.send(n);
    expect([await Promise.all(changes), await big, shown]).toEqual([[1, 2], 3, [0, 1, 2, 3]]);
  });
});

describe('a channel whose senders are closed', () => {
  it('is open while a permit is out, also for weak senders', async () => {
    const [tx, rx] = channel<string>(2);
    const weak = tx.downgrade();
    const permit = await tx.reserve();
    tx.close();
    expect([rx.isClosed, rx.tryRecv()]).toEqual([false, { ok: false, why: 'empty' }]);
    const again = weak.upgrade();
    expect(again?.trySend('from a sender that was made again')).toEqual({ ok: true });
    again?.close();
    permit.send('from the permit');
    expect([rx.isClosed, weak.upgrade()]).toEqual([true, undefined]);
    expectValues(rx, 'from a sender that was made again', 'from the permit');
    expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
  });

  it('is open while a send waits', async () => {
    const [tx, rx] = channel<string>(1);
    tx.trySend('one');
    const sending = tx.send('two');
    tx.close();
    expect(rx.isClosed).toBe(false);
    expect(await rx.recv()).toBe('one');
    await sending;
    expect(rx.isClosed).toBe(true);
  });
});

describe('room for several values', () => {
  it('is reserved at once or not at all, in order, and can be given back', async () => {
    const [tx, rx] = channel<number>(3);
    tx.trySend(0);
    const both = tx.reserveMany(3);
    const waiting = both.then((permits) => permits);
    expect(await now(waiting)).toBe('pending');
    expect(tx.trySend(1)).toEqual({ ok: false, why: 'full' });
    expectValues(rx, 0);
    const permits = await waiting;
    expect([permits.length, tx.capacity]).toEqual([3, 0]);
    for (const permit of permits) {
      permit.send(permits.length);
      if (permits.length === 1) break;
    }
    expect([rx.length, tx.capacity, permits.length]).toEqual([2, 1, 0]);
    expectValues(rx, 2, 1);
  });

  it('keeps the channel open, and ends it when it is given back', async () => {
    const [tx, rx] = channel<number>(2);
    const ended = rx.recv();
    {
      using permits = await tx.reserveMany(2);
      tx.close();
      permits.next().value?.release();
      expect(await now(ended)).toBe('pending');
    }
    expect(await rejection(ended)).toMatchObject({ name: 'ClosedError' });
  });

  it('can be tried for without waiting, and is refused when it is more than the capacity', async () => {
    const [tx, rx] = channel<number>(2);
    expect(tx.tryReserveMany(2)).toMatchObject({ ok: true, value: { length: 2 } });
    expect(tx.tryReserveMany(1)).toEqual({ ok: false, why: 'full' });
    expect(() => tx.reserveMany(3)).toThrow(/^reserveMany: the channel has room for 2 values in all, got the number 3/);
    expect(() => tx.tryReserveMany(-1)).toThrow(/^tryReserveMany: the number of permits/);
    rx.close();
    expect(tx.tryReserveMany(1)).toEqual({ ok: false, why: 'closed' });
    expect(await rejection(tx.reserveMany(1))).toMatchObject({ name: 'ClosedError' });
  });
});
