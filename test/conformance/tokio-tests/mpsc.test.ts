// Counterparts of Tokio's tests of mpsc. tests.json maps each test.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  channel,
  type Receiver,
  SendError,
  type Sender,
  type UnboundedSender,
  unboundedChannel,
} from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { closed, drain, idle, next, rejection, turn, Wait } from './vocabulary.ts';

type Ends = [tx: Sender<number> | UnboundedSender<number>, rx: Receiver<number>];
const kinds: [string, () => Ends][] = [
  ['a bounded channel', () => channel<number>(100)],
  ['an unbounded channel', () => unboundedChannel<number>()],
];

/** Sends values while there is room. */
function fill([tx]: Ends, ...values: number[]): void {
  for (const value of values) void tx.send(value);
}
const ten = Array.from({ length: 10 }, (_, i) => i);

describe.each(kinds)('%s', (_, make) => {
  it('returns the values in order, and ends after the last sender', async () => {
    const [tx, rx] = make();
    fill([tx, rx], 1, 2);
    tx.close();
    expect([await rx.recv(), await rx.recv()]).toEqual([1, 2]);
    expect(await rejection(rx.recv())).toMatchObject(closed);
  });

  it('passes values to a waiting receiver', async () => {
    const [tx, rx] = make();
    const received = (async () => {
      const values: number[] = [];
      for await (const value of rx) values.push(value);
      return values;
    })();
    await turn();
    fill([tx, rx], 1, 2);
    tx.close();
    expect(await received).toEqual([1, 2]);
  });

  it('returns several values at once, at most the limit', async () => {
    const [tx, rx] = make();
    fill([tx, rx], ...ten);
    expect(await rx.recvMany(4)).toEqual([0, 1, 2, 3]);
    expect([await rx.recvMany(1), await rx.recvMany(100)]).toEqual([[4], [5, 6, 7, 8, 9]]);
    const waiting = rx.recvMany(3);
    await turn();
    fill([tx, rx], 10);
    expect(await waiting).toEqual([10]);
    tx.close();
    expect(await rejection(rx.recvMany(3))).toMatchObject(closed);
  });

  it('rejects a receive of several values when it is closed and empty', async () => {
    const [, rx] = make();
    rx.close();
    expect(await rejection(rx.recvMany(1))).toMatchObject(closed);
  });

  it('supports a try: a value, empty, or closed', () => {
    for (const count of [0, 1, 50]) {
      const [tx, rx] = make();
      for (let i = 0; i < count; i++) fill([tx, rx], i);
      expect(drain(rx)).toEqual([...Array.from({ length: count }, (_value, i) => i), 'empty']);
      tx.close();
      expect(drain(rx)).toEqual(['closed']);
    }
  });

  it('is closed by its receiver, and by its last sender, whether there are values or not', () => {
    for (const values of [[], ten]) {
      const one = make();
      fill(one, ...values);
      expect(one[1].isClosed).toBe(false);
      one[1].close();
      expect(one[1].isClosed).toBe(true);

      const [tx, rx] = make();
      fill([tx, rx], ...values);
      const other = tx.clone();
      tx.close();
      expect(rx.isClosed).toBe(false);
      other.close();
      expect(rx.isClosed).toBe(true);
    }
  });

  it('reports whether it is empty, as values come and go', () => {
    const [tx, rx] = make();
    expect(rx.isEmpty).toBe(true);
    fill([tx, rx], ...ten);
    expect(rx.isEmpty).toBe(false);
    for (let i = 0; i < 9; i++) next(rx);
    expect(rx.isEmpty).toBe(false);
    tx.close();
    expect([next(rx), rx.isEmpty]).toEqual([9, true]);
  });

  it('counts its values, also without senders', () => {
    const [tx, rx] = make();
    expect(rx.length).toBe(0);
    for (let i = 1; i <= 100; i++) {
      fill([tx, rx], i);
      expect(rx.length).toBe(i);
    }
    tx.close();
    for (let i = 99; i >= 0; i--) {
      next(rx);
      expect(rx.length).toBe(i);
    }
    const [gone, left] = make();
    gone.close();
    expect(left.length).toBe(0);
  });

  it('counts its values after it was closed from either end, in either order', () => {
    for (const ends of [[1], [1, 0], [0, 1]] as const) {
      const both = make();
      fill(both, 5);
      for (const end of ends) both[end].close();
      expect(both[1].length).toBe(1);
    }
  });

  it('carries any value that is not a thenable', async () => {
    const [tx, rx] = channel<object | symbol>(4);
    const things = [Symbol('a'), Object.create(null) as object, () => {}];
    for (const thing of things) expect(tx.clone().trySend(thing)).toEqual({ ok: true });
    for (const thing of things) expect(await rx.recv()).toBe(thing);
  });

  it('drops the values of a disposed receiver, and a later send fails', async () => {
    const [tx, rx] = make();
    fill([tx, rx], 1, 2, 3);
    rx.dispose();
    expect(rx.length).toBe(0);
    expect(await rejection((async () => tx.send(4))())).toMatchObject({ value: 4 });
  });

  it('retains no waiter that has left', () => {
    const [, rx] = make();
    const wait = new Wait(rx);
    wait.poll();
    wait.drop();
    const stays = new Wait(rx);
    stays.poll();
    rx.dispose();
    expect([wait.isWoken, stays.isWoken]).toEqual([false, true]);
    expect(() => stays.poll()).toThrow(expect.objectContaining(closed));
  });
});

describe('sending into a bounded channel', () => {
  it('waits for room in order', async () => {
    const [tx, rx] = channel<number>(2);
    const sent: number[] = [];
    const all = [1, 2, 7, 0].map(async (value) => {
      await tx.send(value);
      sent.push(value);
    });
    await turn();
    expect(sent).toEqual([1, 2]);
    const received = [...(await rx.recvMany(3)), ...(await rx.recvMany(3))];
    await Promise.all(all);
    expect([received, sent]).toEqual([
      [1, 2, 7, 0],
      [1, 2, 7, 0],
    ]);
  });

  it('keeps the order with a permit and with a try', async () => {
    const [tx, rx] = channel<number>(16);
    (await tx.reserve()).send(1);
    tx.trySend(2);
    tx.close();
    expect(drain(rx)).toEqual([1, 2, 'closed']);
  });

  it('fails as a try when the channel is full, and succeeds after a receive', () => {
    const [tx, rx] = channel<string>(1);
    expect([tx.trySend('a'), tx.trySend('b')]).toEqual([{ ok: true }, { ok: false, why: 'full' }]);
    expect(next(rx)).toBe('a');
    expect(tx.trySend('c')).toEqual({ ok: true });
    tx.close();
    expect(drain(rx)).toEqual(['c', 'closed']);
  });

  it('fills and empties the channel repeatedly with tries', () => {
    const [tx, rx] = channel<number>(5);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) expect(tx.trySend(i).ok).toBe(true);
      expect([tx.trySend(5), drain(rx)]).toEqual([{ ok: false, why: 'full' }, [0, 1, 2, 3, 4, 'empty']]);
    }
  });

  it('fails once the receiver is closed, and returns the value', async () => {
    const [tx, rx] = channel<number>(10);
    rx.close();
    expect(await rejection(rx.recv())).toMatchObject(closed);
    expect(await rejection(tx.send(1))).toMatchObject({ value: 1 });
    expect(tx.trySend(1)).toEqual({ ok: false, why: 'closed' });
  });

  it('can be given up after a time, or fails when the receiver is closed', async () => {
    const clock = new VirtualClock();
    const [tx, rx] = channel<number>(2);
    for (const value of [1, 2]) await tx.send(value, { timeout: 1_000, clock });
    const late = rejection(tx.send(3, { timeout: 1_000, clock }));
    await clock.advance(1_000);
    expect(await late).toMatchObject({ name: 'TimeoutError' });
    rx.close();
    expect(await rejection(tx.send(4, { timeout: 1_000, clock }))).toBeInstanceOf(SendError);
  });

  it('leaves it empty after each receive, over many rounds of its buffer', async () => {
    const [tx, rx] = channel<number>(33);
    for (let i = 0; i < 256; i++) {
      await tx.send(i);
      expect([await rx.recv(), rx.isEmpty]).toEqual([i, true]);
    }
  });

  it('needs room for at least one value', () => {
    expect(() => channel(0)).toThrow(RangeError);
  });
});

describe('a permit', () => {
  it('takes room until it is used and received, or released', async () => {
    const [tx, rx] = channel<number>(2);
    const [used, unused] = [await tx.reserve(), await tx.reserve()];
    const [third, fourth] = [new Wait(tx.reserve()), new Wait(tx.clone().reserve())];
    expect([third.poll(), fourth.poll()]).toEqual(['pending', 'pending']);
    used.send(1);
    expect(third.isWoken).toBe(false);
    await rx.recv();
    expect([third.isWoken, fourth.isWoken]).toEqual([true, false]);
    unused.release();
    expect(fourth.isWoken).toBe(true);
    expect(new Wait(tx.reserve()).poll()).toBe('pending');
  });

  it('is not overtaken by a try while it waits', async () => {
    const [tx, rx] = channel<number>(1);
    (await tx.reserve()).send(1);
    const second = new Wait(tx.reserve());
    expect(second.poll()).toBe('pending');
    await rx.recv();
    expect([second.isWoken, tx.trySend(1_337)]).toEqual([true, { ok: false, why: 'full' }]);
    const permit = second.poll();
    if (permit !== 'pending') permit.send(2);
    expect(next(rx)).toBe(2);
  });

  it('leaves its room to the next waiter when it is given up', async () => {
    const [tx, rx] = channel<number>(1);
    tx.trySend(0);
    const [left, waiting] = [new Wait(tx.reserve()), new Wait(tx.clone().reserve())];
    left.poll();
    waiting.poll();
    left.drop();
    expect(next(rx)).toBe(0);
    expect([waiting.isWoken, left.isWoken]).toEqual([true, false]);
  });

  it('supports a try: room, none, and room again', async () => {
    const [tx, rx] = channel<string>(1);
    const first = tx.tryReserve();
    expect([first.ok, tx.tryReserve()]).toEqual([true, { ok: false, why: 'full' }]);
    if (first.ok) first.value.send('a');
    expect(await rx.recv()).toBe('a');
    const second = tx.tryReserve();
    if (second.ok) second.value.release();
    expect(tx.tryReserve().ok).toBe(true);
  });

  it('admits the next waiter when it is released', async () => {
    const [tx] = channel<number>(1);
    const permit = await tx.reserve();
    const waiting = new Wait(tx.clone().reserve());
    waiting.poll();
    permit.release();
    expect([waiting.isWoken, waiting.poll() === 'pending']).toEqual([true, false]);
  });

  it('keeps a closed channel open until it is used or released', () => {
    for (const end of ['send', 'release'] as const) {
      const [tx, rx] = channel<number>(100);
      const reserved = tx.tryReserve();
      rx.close();
      const wait = new Wait(rx);
      expect([wait.poll(), rx.tryRecv()]).toEqual(['pending', { ok: false, why: 'empty' }]);
      if (reserved.ok) reserved.value[end](1);
      expect(wait.isWoken).toBe(true);
      if (end === 'send') expect(wait.poll()).toBe(1);
      else expect(() => wait.poll()).toThrow(expect.objectContaining(closed));
      expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
    }
  });

  it('is received when it is used after the close, and rejects when it waits', async () => {
    const [tx, rx] = channel<number>(1);
    const permit = await tx.reserve();
    const waiting = new Wait(tx.clone().reserve());
    waiting.poll();
    rx.close();
    expect(waiting.isWoken).toBe(true);
    expect(() => waiting.poll()).toThrow();
    const receiving = new Wait(rx);
    expect(receiving.poll()).toBe('pending');
    permit.send(123);
    expect([receiving.isWoken, receiving.poll()]).toEqual([true, 123]);
    expect(await rejection(rx.recv())).toMatchObject(closed);
  });

  it('does not keep a closed channel open when no call takes it', async () => {
    for (const closesFirst of [false, true]) {
      const [tx, rx] = channel<number>(1);
      const permit = await tx.reserve();
      // Woken with room, or with the end, and dropped without a poll.
      const waiting = idle(tx.clone().reserve());
      if (closesFirst) rx.close();
      permit.release();
      expect(waiting.isWoken).toBe(true);
      rx.close();
      expect(await rejection(rx.recv())).toMatchObject(closed);
    }
  });

  it('fails, like every other way to send, when the receiver is gone', async () => {
    const [tx, rx] = channel<number>(100);
    tx.trySend(1);
    rx.dispose();
    expect(await rejection(tx.reserve())).toMatchObject(closed);
    expect([tx.trySend(2), tx.tryReserve(), rx.length]).toEqual([
      { ok: false, why: 'closed' },
      { ok: false, why: 'closed' },
      0,
    ]);
  });

  it('counts, like a value, against the capacity and not against the largest one', async () => {
    const [tx] = channel<number>(10);
    expect([tx.capacity, tx.maxCapacity]).toEqual([10, 10]);
    await tx.reserve();
    await tx.send(1);
    expect([tx.capacity, tx.maxCapacity]).toEqual([8, 10]);
  });
});

describe.each([
  ['bounded', () => channel<number>(20)],
  ['unbounded', () => unboundedChannel<number>()],
] as [string, () => Ends][])('a weak sender of a channel that is %s', (_, make) => {
  it('sends while another sender exists, and never again after the last one', async () => {
    const [tx, rx] = make();
    const weak = (tx as Sender<number>).clone().downgrade();
    fill([tx, rx], ...ten);
    expect(weak.strongCount).toBeGreaterThan(0);
    const upgraded = weak.upgrade();
    await upgraded?.send(20);
    const again = upgraded?.downgrade();
    expect(again?.upgrade()).toBeDefined();
    expect(drain(rx)).toEqual([...ten, 20, 'empty']);
  });

  it('does not upgrade after the last sender was closed', () => {
    const [tx, rx] = make();
    const clone = tx.clone();
    const [weak, other] = [tx.downgrade(), clone.downgrade()];
    clone.close();
    expect(weak.upgrade()?.close()).toBeUndefined();
    tx.close();
    expect([weak.upgrade(), other.upgrade(), weak.strongCount, weak.weakCount]).toEqual([undefined, undefined, 0, 2]);
    expect(rx.isClosed).toBe(true);
  });

  it('lets an actor send to itself without keeping itself alive', async () => {
    const [tx, rx] = make();
    const self = tx.downgrade();
    const log: number[] = [];
    const actor = (async () => {
      for await (const message of rx) {
        log.push(message);
        if (message === 1) {
          using sender = self.upgrade();
          void sender?.send(2);
        }
      }
    })();
    void tx.send(1);
    await turn();
    tx.close();
    await actor;
    expect([log, self.upgrade()]).toEqual([[1, 2], undefined]);
  });

  it('is counted, like a sender, on every handle', () => {
    const [tx, rx] = make();
    const counts = (...handles: { readonly strongCount: number; readonly weakCount: number }[]): number[][] =>
      handles.map(({ strongCount, weakCount }) => [strongCount, weakCount]);
    const clone = tx.clone();
    const [weak, other] = [tx.downgrade(), clone.downgrade()];
    expect(counts(tx, clone, weak, other, rx)).toEqual(Array.from({ length: 5 }, () => [2, 2]));
    clone.close();
    other.dispose();
    expect(counts(tx, weak, rx)).toEqual(Array.from({ length: 3 }, () => [1, 1]));
    weak.dispose();
    expect(counts(tx, rx)).toEqual(Array.from({ length: 2 }, () => [1, 0]));
  });
});

describe('a permit without its sender', () => {
  it('keeps the channel open', async () => {
    const [tx, rx] = channel<number>(10);
    const permit = await tx.reserve();
    tx.close();
    expect(rx.isClosed).toBe(false);
    permit.send(1);
    expect(drain(rx)).toEqual([1, 'closed']);
  });

  it('lets a weak sender upgrade', async () => {
    const [tx] = channel<number>(2);
    const early = tx.downgrade();
    const permit = await tx.reserve();
    const late = tx.downgrade();
    tx.close();
    expect([early.upgrade() !== undefined, late.upgrade() !== undefined]).toEqual([true, true]);
    permit.release();
  });
});
