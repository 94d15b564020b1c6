// Room that is reserved before there is a value: its owner, its waiters, and the next owner.
import { type Awaitable, CancellationToken, type Waiter } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectValues, now, park, rejection, runEventLoop, take, unpark } from './vocabulary.ts';

describe('a permit for room', () => {
  it('goes to the next waiter when it is released', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    const waiting = tx.send('a');
    permit.release();
    permit.release();
    await waiting;
    expectValues(rx, 'a');
    expect(tx.capacity).toBe(1);
  });

  it('is released at the end of a block with `using`, unless it was used', async () => {
    const [tx, rx] = channel<string>(1);
    {
      using _ = await tx.reserve();
      expect(tx.capacity).toBe(0);
    }
    expect(tx.capacity).toBe(1);
    {
      using permit = await tx.reserve();
      permit.send('a');
    }
    expect(tx.capacity).toBe(0);
    expectValues(rx, 'a');
  });

  it('sends once', () => {
    const [tx, rx] = channel<string>(2);
    const permit = take(tx.reserve());
    permit.send('a');
    expect(() => permit.send('b')).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expectValues(rx, 'a');
    expect(tx.capacity).toBe(2);
  });

  it('stays valid after a value that cannot be sent', () => {
    const [tx, rx] = channel<object>(1);
    const permit = take(tx.reserve());
    expect(() => permit.send(Promise.resolve() as never)).toThrow(TypeError);
    permit.send({});
    expect(rx.length).toBe(1);
  });

  it('can be tried for', () => {
    const [tx, rx] = channel<string>(1);
    const first = tx.tryReserve();
    expect(tx.tryReserve()).toEqual({ ok: false, why: 'full' });
    if (first.ok) first.value.send('a');
    rx.close();
    expect(tx.tryReserve()).toEqual({ ok: false, why: 'closed' });
    expectValues(rx, 'a');
    expectClosed(rx);
  });

  it('cannot be reserved on a closed receiver, and waiting reservations fail', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('a');
    const places: Awaitable<unknown>[] = [tx.reserve(), tx.reserve({ signal: new CancellationToken() })];
    const errors = places.map(rejection);
    await runEventLoop();
    rx.close();
    for (const error of [...(await Promise.all(errors)), await rejection(tx.reserve())]) {
      expect(error).toMatchObject({ code: 'ERR_CLOSED' });
    }
  });
});

it('a select that waits for room and loses sends nothing and leaves the queue', async () => {
  const [tx, rx] = channel<string>(1);
  await tx.send('a');
  const stop = new CancellationToken();
  const lost = select({ room: tx.reserve(), stop });
  const next = tx.send('b');
  stop.cancel();
  expect((await lost).branch).toBe('stop');
  expectValues(rx, 'a');
  await next;
  expectValues(rx, 'b');
  expect(tx.capacity).toBe(1);
});

describe('a send that waits when all senders are closed', () => {
  it('is served before the end, even while receives wait', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    const sends = [tx.send('a'), tx.send('b')];
    const receives = [rx.recv(), rx.recv(), rejection(rx.recv())];
    tx.close();
    permit.release();
    await Promise.all(sends);
    expect(await Promise.all(receives)).toMatchObject(['a', 'b', { code: 'ERR_CLOSED' }]);
  });

  it('ends the channel for waiting receives when it leaves without having sent', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    const place = tx.reserve();
    const parked: Waiter = park(place, (protocol) => protocol.park(parked));
    tx.close();
    const end = rejection(rx.recv());
    permit.release();
    expect(await now(end)).toBe('pending');
    unpark(place, parked);
    expect(await end).toMatchObject({ code: 'ERR_CLOSED' });
  });
});
