import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel, unboundedChannel } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectValues, now, rejection, runEventLoop } from './vocabulary.ts';

describe('recv with a time limit', () => {
  it('distinguishes "no value arrived" from "no value can arrive"', async () => {
    const clock = new VirtualClock();
    const [tx, rx] = channel<string>(1);
    const empty = rejection(rx.recv({ timeout: 100, clock }));
    await clock.advance(99);
    expect(await now(empty)).toBe('pending');
    await clock.advance(1);
    expect(await empty).toBeInstanceOf(TimeoutError);
    const closed = rejection(rx.recv({ timeout: 100, clock }));
    tx.close();
    expect(await closed).toBeInstanceOf(ClosedError);
    expect(clock.pendingCount).toBe(0);
  });

  it('takes a value that arrives in time, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const [tx, rx] = channel<string>(1);
    const waiting = rx.recv({ timeout: 100, clock });
    await runEventLoop();
    expect(clock.pendingCount).toBe(1);
    await tx.send('in time');
    expect(await waiting).toBe('in time');
    expect(clock.pendingCount).toBe(0);
  });

  it('takes a value that is there, even with a timeout of 0', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('there');
    expect(await rx.recv({ timeout: 0 })).toBe('there');
    expect(await rejection(rx.recv({ timeout: 0 }))).toMatchObject({ code: 'ERR_TIMEOUT', ms: 0 });
  });

  it('consumes nothing when the time is over', async () => {
    const clock = new VirtualClock();
    const [tx, rx] = channel<string>(1);
    const given = rejection(rx.recv({ timeout: 1, clock }));
    await clock.advance(1);
    await given;
    await tx.send('later');
    expectValues(rx, 'later');
  });

  it('obeys its signal as well, whichever is first', async () => {
    const clock = new VirtualClock();
    const [, rx] = channel<string>(1);
    const token = new CancellationToken();
    const given = rejection(rx.recv({ timeout: 100, signal: token, clock }));
    token.cancel('first');
    expect(await given).toBe('first');
    expect(clock.pendingCount).toBe(0);
    expect(await rejection(rx.recv({ timeout: 0, signal: token }))).toBe('first');
  });

  it('refuses an invalid time and an invalid signal, and takes no value', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    for (const timeout of [-1, Number.NaN]) {
      expect(await rejection(rx.recv({ timeout }))).toBeInstanceOf(RangeError);
    }
    expect(await rejection(rx.recv({ timeout: '1' as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(rx.recv({ signal: {} as AbortSignal }))).toBeInstanceOf(TypeError);
    expectValues(rx, 'a');
  });
});

describe('a cancelled recv', () => {
  it('has consumed nothing and has left the queue', async () => {
    const [tx, rx] = channel<string>(2);
    const controller = new AbortController();
    const given = rx.recv({ signal: controller.signal });
    const next = rx.recv();
    controller.abort('no');
    expect(await rejection(given)).toBe('no');
    await tx.send('a');
    expect(await next).toBe('a');
  });

  it('takes nothing when it was cancelled before the call', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    expect(await rejection(rx.recv({ signal: AbortSignal.abort('no') }))).toBe('no');
    expectValues(rx, 'a');
  });

  it('loses to a value that arrived earlier in the same step', async () => {
    const [tx, rx] = channel<string>(1);
    const token = new CancellationToken();
    const waiting = rx.recv({ signal: token });
    void tx.send('a');
    token.cancel('late');
    expect(await waiting).toBe('a');
  });
});

describe('several receives', () => {
  it('are served first come, first served, one value each', async () => {
    const [tx, rx] = unboundedChannel<number>();
    const waiting = [rx.recv(), rx.recv(), rx.recv()];
    for (const value of [1, 2, 3]) tx.send(value);
    expect(await Promise.all(waiting)).toEqual([1, 2, 3]);
  });
});

describe('recvMany', () => {
  it('takes the values that are there, up to the limit', async () => {
    const [tx, rx] = channel<number>(5);
    for (const value of [1, 2, 3]) await tx.send(value);
    expect(await rx.recvMany(2)).toEqual([1, 2]);
    expect(await rx.recvMany(2)).toEqual([3]);
  });

  it('also takes the values for which it makes room', async () => {
    const [tx, rx] = channel<number>(1);
    const sends = [1, 2, 3].map((value) => tx.send(value));
    expect(await rx.recvMany(10)).toEqual([1, 2, 3]);
    await Promise.all(sends);
  });

  it('waits for one value only', async () => {
    const [tx, rx] = channel<number>(5);
    const waiting = rx.recvMany(5);
    void tx.send(1);
    void tx.send(2);
    expect(await waiting).toEqual([1]);
    expectValues(rx, 2);
  });

  it('fails at the end, when it is cancelled, and with an invalid limit', async () => {
    const [tx, rx] = channel<number>(5);
    await tx.send(1);
    for (const limit of [0, -1, 1.5, Number.NaN])
      expect(await rejection(rx.recvMany(limit))).toBeInstanceOf(RangeError);
    expect(await rejection(rx.recvMany(1, { signal: AbortSignal.abort('no') }))).toBe('no');
    expectValues(rx, 1);
    tx.close();
    expect(await rejection(rx.recvMany(1))).toBeInstanceOf(ClosedError);
  });
});

describe('iteration', () => {
  it('ends when the channel does, even while it waits', async () => {
    const [tx, rx] = channel<number>(1);
    const loop = (async () => {
      const values: number[] = [];
      for await (const value of rx) values.push(value);
      return values;
    })();
    await tx.send(1);
    await tx.send(2);
    await runEventLoop();
    tx.close();
    expect(await loop).toEqual([1, 2]);
  });

  it('leaves the receiver open, and retains no waiter, when it is left', async () => {
    const [tx, rx] = channel<number>(3);
    for (const value of [1, 2]) await tx.send(value);
    for await (const value of rx) {
      expect(value).toBe(1);
      break;
    }
    await expect(
      (async () => {
        for await (const _ of rx) throw new Error('thrown inside');
      })(),
    ).rejects.toThrow('thrown inside');
    expectEmpty(rx);
    await tx.send(3);
    expectValues(rx, 3);
  });

  it('has consumed nothing when it is left while it waits', async () => {
    const [tx, rx] = channel<number>(1);
    const values = rx[Symbol.asyncIterator]();
    const waiting = values.next();
    const second = values.next();
    await values.return?.();
    expect(await second).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await values.next()).toEqual({ done: true, value: undefined });
    await tx.send(1);
    expectValues(rx, 1);
  });

  it('serves several next() at once in order', async () => {
    const [tx, rx] = unboundedChannel<number>();
    const values = rx[Symbol.asyncIterator]();
    const waiting = [values.next(), values.next(), values.next()];
    for (const value of [1, 2]) tx.send(value);
    tx.close();
    expect(await Promise.all(waiting)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined },
    ]);
  });

  it('ends when the receiver is disposed during it', async () => {
    const [tx, rx] = channel<number>(2);
    for (const value of [1, 2]) await tx.send(value);
    const seen: number[] = [];
    for await (const value of rx) {
      seen.push(value);
      rx.dispose();
    }
    expect(seen).toEqual([1]);
    expectClosed(rx);
  });
});
