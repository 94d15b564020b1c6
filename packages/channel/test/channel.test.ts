import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { channel, SendError, unboundedChannel } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectValues, now, park, rejection, runEventLoop, take } from './vocabulary.ts';

describe('a bounded channel', () => {
  it('delivers each value once, in the order in which the values were sent', async () => {
    const [tx, rx] = channel<number>(3);
    for (const value of [1, 2, 3]) await tx.send(value);
    expectValues(rx, 1, 2, 3);
    expectEmpty(rx);
  });

  it('makes a sender wait when it is full, and continue when one value was received', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    const second = tx.send('b');
    expect(await now(second)).toBe('pending');
    expectValues(rx, 'a');
    expect(await now(second)).toBeUndefined();
    expectValues(rx, 'b');
  });

  it('takes the value of a waiting sender in the step that makes room, so that no other sender comes between', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    const waiting = tx.send('b');
    expectValues(rx, 'a');
    expect(rx.length).toBe(1);
    expect(tx.trySend('c')).toEqual({ ok: false, why: 'full' });
    await waiting;
    expectValues(rx, 'b');
  });

  it('gives a waiting receive its value inside the send', async () => {
    const [tx, rx] = channel<string>(1);
    const waiting = rx.recv();
    void tx.send('a');
    expect(rx.length).toBe(0);
    expect(tx.capacity).toBe(1);
    expect(await waiting).toBe('a');
  });

  it('counts room, values and handles', async () => {
    const [tx, rx] = channel<number>(3);
    expect([tx.capacity, tx.maxCapacity, rx.length, rx.isEmpty]).toEqual([3, 3, 0, true]);
    await tx.send(1);
    const permit = take(tx.reserve());
    expect([tx.capacity, tx.maxCapacity, rx.length, rx.isEmpty]).toEqual([1, 3, 1, false]);
    permit.release();
    const [other, weak] = [tx.clone(), tx.downgrade()];
    for (const handle of [tx, rx, weak]) expect([handle.strongCount, handle.weakCount]).toEqual([2, 1]);
    expect(tx.sameChannel(other)).toBe(true);
    expect(tx.sameChannel(channel<number>(1)[0])).toBe(false);
    other.close();
    weak.dispose();
    weak.dispose();
    expect([tx.strongCount, tx.weakCount]).toEqual([1, 0]);
  });

  it('accepts any capacity, and needs no memory for it', async () => {
    const [tx, rx] = channel<number>(Number.MAX_SAFE_INTEGER);
    for (let value = 0; value < 10_000; value++) tx.trySend(value);
    expect([rx.length, tx.capacity]).toEqual([10_000, Number.MAX_SAFE_INTEGER - 10_000]);
    expect((await rx.recvMany(20_000)).every((value, index) => value === index)).toBe(true);
    expect([rx.length, tx.capacity]).toEqual([0, Number.MAX_SAFE_INTEGER]);
  });
});

describe('trySend', () => {
  it('reports that the channel is full, or closed by its receiver', () => {
    const [tx, rx] = channel<number>(1);
    expect(tx.trySend(1)).toEqual({ ok: true });
    expect(tx.trySend(2)).toEqual({ ok: false, why: 'full' });
    rx.close();
    expect(tx.trySend(3)).toEqual({ ok: false, why: 'closed' });
    expectValues(rx, 1);
    expectClosed(rx);
  });

  it('does not overtake a sender that waits', async () => {
    const [tx, rx] = channel<string>(2);
    tx.trySend('a');
    const [held, waiting] = [take(tx.reserve()), tx.send('b')];
    expect(tx.capacity).toBe(0);
    held.send('c');
    expectValues(rx, 'a');
    expect(tx.trySend('d')).toEqual({ ok: false, why: 'full' });
    await waiting;
    expectValues(rx, 'c', 'b');
  });
});

describe('senders that wait', () => {
  it('are served first come, first served, sends and reservations alike', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('first');
    const order: string[] = [];
    const sends = ['a', 'b'].map((value) => tx.send(value).then(() => order.push(`sent ${value}`)));
    const reserved = tx.reserve().then((permit) => {
      order.push('reserved');
      permit.send('c');
    });
    const last = tx.send('d').then(() => order.push('sent d'));
    const received: string[] = [];
    for (let i = 0; i < 5; i++) received.push(await rx.recv());
    await Promise.all([...sends, reserved, last]);
    expect(received).toEqual(['first', 'a', 'b', 'c', 'd']);
    expect(order).toEqual(['sent a', 'sent b', 'reserved', 'sent d']);
  });

  it('leave the queue when they are cancelled, and have sent nothing', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    const token = new CancellationToken();
    const given = tx.send('b', { signal: token });
    const next = tx.send('c');
    token.cancel('enough');
    expect(await rejection(given)).toBe('enough');
    expectValues(rx, 'a');
    await next;
    expectValues(rx, 'c');
    expectEmpty(rx);
  });

  it('send nothing when they are already cancelled, even when there is room', async () => {
    const [tx, rx] = channel<string>(1);
    expect(await rejection(tx.send('a', { signal: AbortSignal.abort('no') }))).toBe('no');
    expectEmpty(rx);
    expect(tx.capacity).toBe(1);
  });

  it('get their value back when the receiver closes', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('kept');
    const waiting = [tx.send('b'), tx.send('c', { signal: new CancellationToken() })].map(rejection);
    rx.close();
    const errors = await Promise.all(waiting);
    for (const error of errors) expect(error).toBeInstanceOf(SendError);
    expect(errors.map((error) => (error as SendError).value)).toEqual(['b', 'c']);
    const late = (await rejection(tx.send('d'))) as SendError;
    expect([late.name, late.code, late.value]).toEqual(['SendError', 'ERR_SEND', 'd']);
    expectValues(rx, 'kept');
    expectClosed(rx);
  });

  it('keep waiting when their sender is closed, and their values are received', async () => {
    const [tx, rx] = channel<string>(1);
    const sends = ['a', 'b', 'c'].map((value) => tx.send(value));
    tx.close();
    const received: string[] = [];
    for await (const value of rx) received.push(value);
    await Promise.all(sends);
    expect(received).toEqual(['a', 'b', 'c']);
  });

  it('are served without a deep stack when there are a hundred thousand', async () => {
    const [tx, rx] = channel<number>(1);
    const count = 100_000;
    const sends = Array.from({ length: count }, (_, value) => tx.send(value));
    tx.close();
    let next = 0;
    for await (const value of rx) if (value === next) next++;
    await Promise.all(sends);
    expect(next).toBe(count);
  });
});

describe('a channel ends', () => {
  it('when its last sender is closed and it is drained', async () => {
    const [tx, rx] = channel<number>(2);
    const other = tx.clone();
    await tx.send(1);
    tx.close();
    tx.close();
    expect(rx.isClosed).toBe(false);
    await other.send(2);
    other.close();
    expect(rx.isClosed).toBe(true);
    expectValues(rx, 1, 2);
    expect(await rejection(rx.recv())).toBeInstanceOf(ClosedError);
    expectClosed(rx);
  });

  it('for each receive that waits', async () => {
    const [tx, rx] = channel<number>(1);
    const waiting = [rx.recv(), rx.recv(), select({ rx })].map(rejection);
    tx.close();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('after close only when the permits that are out were used or released', async () => {
    const [tx, rx] = channel<string>(3);
    const [used, released] = [take(tx.reserve()), take(tx.reserve())];
    rx.close();
    expectEmpty(rx);
    const waiting = [rx.recv(), rx.recv()];
    used.send('reserved before');
    expect(await waiting[0]).toBe('reserved before');
    const end = rejection(waiting[1] as Promise<string>);
    released.release();
    expect(await end).toMatchObject({ code: 'ERR_CLOSED' });
    expectClosed(rx);
  });

  it('after the last sender only when its permits were used or released', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    tx.close();
    expectEmpty(rx);
    permit.send('late');
    expectValues(rx, 'late');
    expectClosed(rx);
  });

  it('for good: a reservation that was made before gets no permit', async () => {
    const [tx, rx] = channel<string>(1);
    const place = tx.reserve();
    tx.close();
    expectClosed(rx);
    expect(await rejection(place)).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('with its receiver: its values are dropped, and every waiter is woken', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    const waiting = rejection(tx.send('a'));
    const receiving = rejection(rx.recv());
    rx.dispose();
    rx.dispose();
    expect(await waiting).toMatchObject({ value: 'a' });
    expect(await receiving).toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => permit.send('b')).toThrow(SendError);
    expect(tx.capacity).toBe(1);
    expect(tx.isClosed).toBe(true);
    expectClosed(rx);
  });

  it('with `using` at the end of the block', async () => {
    const [tx, rx] = channel<string>(2);
    {
      using out = tx.clone();
      tx.close();
      await out.send('a');
    }
    expectValues(rx, 'a');
    expectClosed(rx);
  });
});

describe('closed()', () => {
  it('fulfils when the receiver is closed, and stays ready', async () => {
    const [tx, rx] = channel<string>(1);
    const closed = tx.closed();
    expect(tx.isClosed).toBe(false);
    const waiting = closed.then(() => 'closed');
    const outcome = select({ closed, never: new CancellationToken() });
    expect(await now(waiting)).toBe('pending');
    rx.close();
    expect(await waiting).toBe('closed');
    expect((await outcome).branch).toBe('closed');
    expect(await closed).toBeUndefined();
    expect(tx.isClosed).toBe(true);
  });
});

describe('a weak sender', () => {
  it('does not keep the channel open, and makes senders while it is open', () => {
    const [tx, rx] = channel<string>(1);
    const weak = tx.downgrade();
    const copy = weak.clone();
    const again = weak.upgrade();
    expect(again?.sameChannel(tx)).toBe(true);
    tx.close();
    expect(again?.trySend('a')).toEqual({ ok: true });
    again?.close();
    expect([weak.upgrade(), copy.upgrade()]).toEqual([undefined, undefined]);
    expectValues(rx, 'a');
    expectClosed(rx);
  });

  it('makes no sender once it was closed', () => {
    const [tx] = unboundedChannel<string>();
    const weak = tx.downgrade();
    weak.dispose();
    expect(() => weak.upgrade()).toThrow(ClosedError);
    expect(() => weak.clone()).toThrow(ClosedError);
    expect(tx.weakCount).toBe(0);
  });
});

describe('an unbounded channel', () => {
  it('never makes a sender wait', async () => {
    const [tx, rx] = unboundedChannel<number>();
    for (let value = 0; value < 10_000; value++) tx.send(value);
    expect(rx.length).toBe(10_000);
    const other = tx.clone();
    tx.close();
    other.send(10_000);
    other.close();
    let next = 0;
    for await (const value of rx) expect(value).toBe(next++);
    expect(next).toBe(10_001);
  });

  it('hands the value back when its receiver is closed', async () => {
    const [tx, rx] = unboundedChannel<string>();
    tx.send('kept');
    rx.close();
    expect(() => tx.send('late')).toThrow(expect.objectContaining({ value: 'late' }));
    await tx.closed();
    expectValues(rx, 'kept');
    expectClosed(rx);
  });

  it('counts its handles', () => {
    const [tx, rx] = unboundedChannel<string>();
    const [other, weak] = [tx.clone(), tx.downgrade()];
    expect([rx.strongCount, rx.weakCount, tx.strongCount, tx.weakCount, tx.isClosed]).toEqual([2, 1, 2, 1, false]);
    expect(weak.upgrade()?.sameChannel(other)).toBe(true);
  });
});

it('values that were sent in one step to several waiting receives reach them in order', async () => {
  const [tx, rx] = channel<number>(1);
  const order: string[] = [];
  const permit = take(tx.reserve());
  const receives = [1, 2, 3].map((name) => rx.recv().then((value) => order.push(`${name} got ${value}`)));
  const sends = [tx.send(2), tx.send(3)];
  permit.send(1);
  await Promise.all([...receives, ...sends]);
  expect(order).toEqual(['1 got 1', '2 got 2', '3 got 3']);
});

it('a waiter that is parked twice keeps its place, and is woken once', async () => {
  const [tx, rx] = channel<number>(2);
  let woken = 0;
  const parked = park(rx, () => woken++);
  const second = rx.recv();
  rx[Symbol.asyncIterator]();
  await tx.send(1);
  await runEventLoop();
  expect(woken).toBe(1);
  expect(parked.owner).toBeUndefined();
  // The first did not use its wake-up, so the next one gets it.
  expect(await second).toBe(1);
});
