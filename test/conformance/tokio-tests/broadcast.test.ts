// Counterparts of Tokio's tests of broadcast. tests.json maps each test.
import { broadcast } from '@quiesce/broadcast-channel';
import { describe, expect, it } from 'vitest';
import { closed, drain, next, rejection, turn, Wait } from './vocabulary.ts';

describe('sending', () => {
  it('delivers a value to a single receiver, once', () => {
    const [tx, rx] = broadcast<string>(16);
    expect(drain(rx)).toEqual(['empty']);
    expect(tx.send('a')).toBe(1);
    expect(drain(rx)).toEqual(['a', 'empty']);
  });

  it('delivers a value to each of two receivers', () => {
    const [tx, one] = broadcast<string>(16);
    const two = tx.subscribe();
    expect(tx.send('a')).toBe(2);
    expect([drain(one), drain(two), drain(one)]).toEqual([['a', 'empty'], ['a', 'empty'], ['empty']]);
  });

  it('wakes a waiting receiver', () => {
    const [tx, rx] = broadcast<string>(16);
    const wait = new Wait(rx);
    expect(wait.poll()).toBe('pending');
    tx.send('a');
    expect([wait.isWoken, wait.poll()]).toEqual([true, 'a']);
  });

  it('wakes exactly the waiting receivers', () => {
    const [tx, one] = broadcast<string>(16);
    const two = tx.subscribe();
    const waits = [new Wait(one), new Wait(two)];
    for (const wait of waits) wait.poll();
    tx.send('a');
    expect(waits.map((wait) => [wait.isWoken, wait.poll()])).toEqual([
      [true, 'a'],
      [true, 'a'],
    ]);
    const [first, second] = [new Wait(one), new Wait(two)];
    first.poll();
    tx.send('b');
    expect([first.isWoken, second.isWoken, first.poll(), second.poll()]).toEqual([true, false, 'b', 'b']);
  });

  it('keeps older values in order for a receiver that is slower than another one', () => {
    const [tx, fast] = broadcast<number>(16);
    const slow = tx.subscribe();
    const waiting = new Wait(slow);
    waiting.poll();
    for (const value of [1, 2, 3]) {
      tx.send(value);
      expect(next(fast)).toBe(value);
    }
    expect([waiting.poll(), drain(slow)]).toEqual([1, [2, 3, 'empty']]);
  });

  it('loses the value without a receiver, and reaches a later subscriber again', () => {
    const [tx, rx] = broadcast<string>(16);
    rx.dispose();
    expect(tx.send('lost')).toBe(0);
    const later = tx.subscribe();
    expect([tx.send('seen'), drain(later)]).toEqual([1, ['seen', 'empty']]);
  });

  it('may happen within a wake-up', () => {
    const [tx, rx] = broadcast<string>(16);
    const seen: string[] = [];
    const other = new Wait(tx.subscribe());
    const wait = new Wait(rx);
    wait.poll();
    other.poll();
    // Another receiver sends as soon as it is woken.
    void rx.recv().then((value) => {
      seen.push(value);
      if (value === 'a') tx.send('b');
    });
    tx.send('a');
    expect([wait.poll(), other.poll()]).toEqual(['a', 'a']);
  });
});

describe('lag', () => {
  it('does not happen within the capacity', () => {
    const [tx, slow] = broadcast<number>(2);
    const fast = tx.subscribe();
    for (const value of [1, 2]) tx.send(value);
    expect(drain(fast)).toEqual([1, 2, 'empty']);
    expect(drain(slow)).toEqual([1, 2, 'empty']);
  });

  it('is reported once with its exact count, and reading continues at the oldest kept value', () => {
    for (const [capacity, sent, expected] of [
      [2, 3, ['missed 1', 2, 3, 'empty']],
      [2, 4, ['missed 2', 3, 4, 'empty']],
      [4, 10, ['missed 6', 7, 8, 9, 10, 'empty']],
    ] as const) {
      const [tx, rx] = broadcast<number>(capacity);
      for (let value = 1; value <= sent; value++) tx.send(value);
      expect(drain(rx)).toEqual(expected);
    }
  });

  it('counts only the values that were overwritten before they were read', () => {
    const [tx, rx] = broadcast<number>(4);
    for (let value = 1; value <= 4; value++) tx.send(value);
    expect(next(rx)).toBe(1);
    for (let value = 5; value <= 8; value++) tx.send(value);
    expect(drain(rx)).toEqual(['missed 3', 5, 6, 7, 8, 'empty']);
  });

  it('is separate for each receiver', () => {
    const [tx, slow] = broadcast<number>(2);
    const fast = tx.subscribe();
    for (let value = 1; value <= 4; value++) {
      tx.send(value);
      expect(next(fast)).toBe(value);
    }
    expect(drain(slow)).toEqual(['missed 2', 3, 4, 'empty']);
    expect(drain(fast)).toEqual(['empty']);
  });

  it('can follow another lag, at once or after the values between were read', () => {
    const [tx, rx] = broadcast<number>(2);
    for (let value = 1; value <= 3; value++) tx.send(value);
    expect(rx.tryRecv()).toMatchObject({ why: 'lagged', missedCount: 1 });
    for (let value = 4; value <= 6; value++) tx.send(value);
    expect(drain(rx)).toEqual(['missed 3', 5, 6, 'empty']);
    for (let value = 7; value <= 9; value++) tx.send(value);
    expect(drain(rx)).toEqual(['missed 1', 8, 9, 'empty']);
  });

  it('happens to a slow receiver repeatedly while a fast one reads everything', () => {
    const [tx, fast] = broadcast<number>(2);
    const slow = tx.subscribe();
    for (const value of [1, 2]) tx.send(value);
    expect(next(fast)).toBe(1);
    tx.send(3);
    expect(slow.tryRecv()).toMatchObject({ missedCount: 1 });
    expect([next(slow), next(fast), next(fast)]).toEqual([2, 2, 3]);
    for (const value of [4, 5]) tx.send(value);
    expect(slow.tryRecv()).toMatchObject({ missedCount: 1 });
    tx.send(6);
    expect(slow.tryRecv()).toMatchObject({ missedCount: 1 });
  });

  it('begins beyond the capacity rounded up to a power of two', () => {
    const [tx, rx] = broadcast<number>(3);
    for (let value = 1; value <= 4; value++) tx.send(value);
    expect([rx.length, next(rx)]).toEqual([4, 1]);
    tx.send(5);
    expect(rx.length).toBe(4);
    tx.send(6);
    expect([rx.length, drain(rx)]).toEqual([5, ['missed 1', 3, 4, 5, 6, 'empty']]);
  });

  it('rejects an awaited recv, and the next recv gets the oldest kept value', async () => {
    const [tx, rx] = broadcast<number>(2);
    for (let value = 1; value <= 3; value++) tx.send(value);
    expect(await rejection(rx.recv())).toMatchObject({ missedCount: 1 });
    expect([await rx.recv(), await rx.recv()]).toEqual([2, 3]);
  });
});

describe('a capacity', () => {
  it('of one keeps the last value', () => {
    const [tx, rx] = broadcast<number>(1);
    tx.send(1);
    expect(drain(rx)).toEqual([1, 'empty']);
    tx.send(2);
    tx.send(3);
    expect(drain(rx)).toEqual(['missed 1', 3, 'empty']);
  });

  it('of zero, or beyond the largest, is rejected', () => {
    for (const capacity of [0, 2 ** 24 + 1, Number.POSITIVE_INFINITY])
      expect(() => broadcast(capacity)).toThrow(RangeError);
  });
});

describe('the end of a channel', () => {
  it('comes with the last sender, and wakes every receiver', () => {
    const [tx, one] = broadcast<number>(16);
    const waits = [new Wait(one), new Wait(tx.subscribe())];
    for (const wait of waits) wait.poll();
    const last = tx.clone();
    tx.close();
    expect(waits.map((wait) => [wait.isWoken, wait.poll()])).toEqual([
      [false, 'pending'],
      [false, 'pending'],
    ]);
    last.close();
    for (const wait of waits) {
      expect(wait.isWoken).toBe(true);
      expect(() => wait.poll()).toThrow(expect.objectContaining(closed));
    }
  });

  it('comes after the kept values, and after the lag', () => {
    for (const [capacity, sent, expected] of [
      [1, 1, [1]],
      [1, 2, ['missed 1', 2]],
      [2, 2, [1, 2]],
      [2, 3, ['missed 1', 2, 3]],
      [2, 4, ['missed 2', 3, 4]],
    ] as const) {
      const [tx, rx] = broadcast<number>(capacity);
      for (let value = 1; value <= sent; value++) tx.send(value);
      tx.close();
      expect(drain(rx)).toEqual([...expected, 'closed']);
    }
  });
});

describe('a receiver', () => {
  it('may be closed while values remain, in any order', () => {
    const [tx, one] = broadcast<string>(16);
    const two = tx.subscribe();
    for (const value of ['a', 'b']) tx.send(value);
    expect([next(one), next(two)]).toEqual(['a', 'a']);
    two.dispose();
    expect(next(one)).toBe('b');
    one.dispose();
    expect([tx.receiverCount, tx.length]).toEqual([0, 0]);
  });

  it('counts the values that it has not read, also beyond the capacity until its lag is reported', () => {
    const [tx, rx] = broadcast<number>(2);
    for (let value = 1; value <= 4; value++) tx.send(value);
    expect([rx.length, rx.tryRecv(), rx.length]).toMatchObject([4, { missedCount: 2 }, 2]);
    expect([next(rx), rx.length, next(rx), rx.length]).toEqual([3, 1, 4, 0]);
  });

  it('resubscribes at the end, and leaves the first receiver at its position', () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    const again = rx.resubscribe();
    expect(drain(again)).toEqual(['empty']);
    tx.send(2);
    expect([next(again), next(rx), next(rx)]).toEqual([2, 1, 2]);
    tx.send(3);
    expect([drain(rx), drain(again)]).toEqual([
      [3, 'empty'],
      [3, 'empty'],
    ]);
  });

  it('resubscribes without its lag', () => {
    const [tx, rx] = broadcast<number>(1);
    for (const value of [1, 2]) tx.send(value);
    const again = rx.resubscribe();
    expect([drain(rx), drain(again)]).toEqual([['missed 1', 2, 'empty'], ['empty']]);
  });

  it('resubscribes to a channel that has ended', () => {
    const [tx, rx] = broadcast<number>(2);
    tx.close();
    expect(drain(rx.resubscribe())).toEqual(['closed']);
  });

  it('lets the event loop run in a loop that always finds a value', async () => {
    const [tx, rx] = broadcast<number>(8);
    let isOver = false;
    setImmediate(() => {
      isOver = true;
    });
    let rounds = 0;
    for (; !isOver; rounds++) {
      tx.send(rounds);
      await rx.recv();
    }
    expect(rounds).toBeGreaterThan(0);
  });

  it('is woken in both places in which it waits, one value each', () => {
    const [tx, rx] = broadcast<string>(4);
    const [one, two] = [new Wait(rx), new Wait(rx)];
    one.poll();
    two.poll();
    tx.send('a');
    expect([one.poll(), two.poll()]).toEqual(['a', 'pending']);
    one.drop();
    tx.send('b');
    expect([two.isWoken, two.poll()]).toEqual([true, 'b']);
  });
});

describe('a sender', () => {
  it('counts the values that it keeps for the slowest receiver, at most the capacity', () => {
    const [tx, slow] = broadcast<number>(4);
    const fast = tx.subscribe();
    expect([tx.length, tx.isEmpty]).toEqual([0, true]);
    for (let value = 1; value <= 3; value++) tx.send(value);
    next(fast);
    next(fast);
    expect([tx.length, tx.isEmpty]).toEqual([3, false]);
    next(slow);
    expect(tx.length).toBe(2);
    for (let value = 4; value <= 6; value++) tx.send(value);
    expect([tx.length, tx.isEmpty]).toEqual([4, false]);
  });

  it('counts correctly in a random run of sends and receives', () => {
    const [tx, one] = broadcast<number>(16);
    const two = tx.subscribe();
    let seed = 1;
    for (let i = 0; i < 1_000; i++) {
      seed = (seed * 48_271) % (2 ** 31 - 1);
      if (seed % 4 === 0) one.tryRecv();
      else if (seed % 4 === 1) two.tryRecv();
      else tx.send(i);
      expect(tx.length).toBe(Math.min(16, Math.max(one.length, two.length)));
    }
  });

  it('is notified when the last receiver is closed', () => {
    const [tx, one] = broadcast<number>(1);
    const two = tx.subscribe();
    const wait = new Wait(tx.closed());
    expect(wait.poll()).toBe('pending');
    one.dispose();
    expect([wait.isWoken, wait.poll()]).toEqual([false, 'pending']);
    two.dispose();
    expect([wait.isWoken, wait.poll()]).toEqual([true, undefined]);
  });

  it('is closed repeatedly as receivers come and go', () => {
    const [tx, rx] = broadcast<number>(1);
    rx.dispose();
    for (let round = 0; round < 3; round++) {
      expect(new Wait(tx.closed()).poll()).toBeUndefined();
      const later = tx.subscribe();
      const wait = new Wait(tx.closed());
      expect(wait.poll()).toBe('pending');
      later.dispose();
      expect([wait.isWoken, wait.poll()]).toEqual([true, undefined]);
    }
  });

  it('is closed until the first subscription when it is made without a receiver', () => {
    const tx = broadcast.sender<number>(1);
    expect(new Wait(tx.closed()).poll()).toBeUndefined();
    tx.subscribe();
    expect(new Wait(tx.closed()).poll()).toBe('pending');
  });
});

describe('a weak sender', () => {
  it('sends while another sender exists, and never again after the last one', async () => {
    const [tx, rx] = broadcast<number>(16);
    const weak = tx.downgrade();
    for (let value = 0; value < 10; value++) tx.send(value);
    const upgraded = weak.upgrade();
    tx.close();
    upgraded?.send(20);
    upgraded?.close();
    await turn();
    expect(drain(rx)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 'closed']);
    expect(weak.upgrade()).toBeUndefined();
  });

  it('does not keep the channel open when it comes from a clone', () => {
    const [tx, rx] = broadcast<number>(1);
    const clone = tx.clone();
    const weak = clone.downgrade();
    clone.close();
    tx.close();
    expect([weak.upgrade(), rx.isClosed, weak.strongCount, weak.weakCount]).toEqual([undefined, true, 0, 1]);
  });

  it('is counted, like a sender, on every handle', () => {
    const [tx, rx] = broadcast<number>(1);
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
