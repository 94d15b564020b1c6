// Counterparts of Tokio's tests of watch. tests.json maps each test.
import { watch } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { closed, rejection, turn, Wait } from './vocabulary.ts';

const endOf = (wait: Wait<unknown>): void => expect(() => wait.poll()).toThrow(expect.objectContaining(closed));

describe('a watched value', () => {
  it('wakes its receiver with each change, and with the end, and can still be read afterwards', () => {
    const [tx, rx] = watch('one');
    const change = new Wait(rx);
    expect([change.poll(), rx.borrow()]).toEqual(['pending', 'one']);
    tx.send('two');
    expect([change.isWoken, change.poll(), rx.borrow()]).toEqual([true, 'two', 'two']);
    const end = new Wait(rx);
    expect(end.poll()).toBe('pending');
    tx.close();
    expect(end.isWoken).toBe(true);
    endOf(end);
    expect(rx.borrow()).toBe('two');
  });

  it('is seen by each of several receivers', () => {
    const [tx, one] = watch(1);
    const two = one.clone();
    for (const value of [2, 3, 4]) {
      const waits = [new Wait(one), new Wait(two)];
      expect(waits.map((wait) => wait.poll())).toEqual(['pending', 'pending']);
      tx.send(value);
      expect(waits.map((wait) => [wait.isWoken, wait.poll()])).toEqual([
        [true, value],
        [true, value],
      ]);
      expect([one.borrow(), two.borrow()]).toEqual([value, value]);
    }
  });

  it('is returned before the end when it was not seen yet', () => {
    const [tx, rx] = watch(1);
    tx.send(2);
    tx.close();
    expect(new Wait(rx).poll()).toBe(2);
    endOf(new Wait(rx));
    const [last, waiting] = watch(1);
    const wait = new Wait(waiting);
    wait.poll();
    last.send(2);
    last.close();
    expect(wait.poll()).toBe(2);
    endOf(new Wait(waiting));
    expect(waiting.borrow()).toBe(2);
  });

  it('ends at once when it was never changed', async () => {
    const [tx, rx] = watch(1);
    tx.close();
    expect(await rejection(rx.changed())).toMatchObject(closed);
    expect(rx.borrow()).toBe(1);
  });

  it('counts as seen after changed and borrowAndUpdate, and not after borrow', () => {
    const [tx, rx] = watch(1);
    expect(rx.hasChanged()).toBe(false);
    tx.send(2);
    expect([rx.borrow(), rx.hasChanged(), new Wait(rx).poll(), rx.hasChanged()]).toEqual([2, true, 2, false]);
    tx.send(3);
    expect([rx.hasChanged(), rx.borrowAndUpdate(), rx.hasChanged(), new Wait(rx).poll()]).toEqual([
      true,
      3,
      false,
      'pending',
    ]);
    tx.close();
    expect(rx.borrowAndUpdate()).toBe(3);
    endOf(new Wait(rx));
  });

  it('still counts as changed when it was not seen and all senders are closed', () => {
    const [tx, rx] = watch('A');
    const seen = tx.subscribe();
    tx.send('B');
    seen.borrowAndUpdate();
    tx.close();
    expect([rx.hasChanged(), rx.isClosed, seen.hasChanged(), seen.isClosed]).toEqual([true, true, false, true]);
  });

  it('is returned when it satisfies the predicate, also when all senders are closed', async () => {
    const [tx, rx] = watch('A');
    tx.send('B');
    tx.close();
    expect(await rx.waitFor(() => true)).toBe('B');
    expect(await rejection(rx.waitFor((value) => value === 'C'))).toMatchObject(closed);
  });
});

describe('a receiver', () => {
  it('can mark its value as unseen, repeatedly, and only for itself', () => {
    const [tx, rx] = watch('one');
    const other = rx.clone();
    rx.markChanged();
    rx.markChanged();
    expect([rx.hasChanged(), rx.borrow(), other.hasChanged(), new Wait(other).poll()]).toEqual([
      true,
      'one',
      false,
      'pending',
    ]);
    expect([new Wait(rx).poll(), new Wait(rx).poll()]).toEqual(['one', 'pending']);
    rx.markChanged();
    expect([rx.borrowAndUpdate(), rx.hasChanged()]).toEqual(['one', false]);
    tx.send('two');
    expect([other.borrowAndUpdate(), other.hasChanged()]).toEqual(['two', false]);
    other.markChanged();
    expect([other.hasChanged(), other.borrowAndUpdate()]).toEqual([true, 'two']);
  });

  it('can mark its value as seen', () => {
    const [tx, rx] = watch('one');
    rx.markChanged();
    rx.markUnchanged();
    expect([rx.hasChanged(), new Wait(rx).poll()]).toEqual([false, 'pending']);
    tx.send('two');
    rx.markUnchanged();
    expect([rx.hasChanged(), rx.borrowAndUpdate()]).toEqual([false, 'two']);
  });

  it('lets the event loop run in a loop that always finds a value', async () => {
    const [tx, rx] = watch(0);
    const [gone, ended] = watch(0);
    const [alone, unused] = watch(0);
    gone.close();
    unused.dispose();
    const loops: (() => Promise<unknown>)[] = [
      async () => {
        tx.send(1);
        await rx.changed();
      },
      async () => {
        tx.send(1);
        await rx.waitFor((value) => value === 1);
      },
      () => ended.changed().catch(() => {}),
      () => ended.waitFor((value) => value === 1).catch(() => {}),
      async () => await alone.closed(),
    ];
    for (const loop of loops) {
      let isOver = false;
      setImmediate(() => {
        isOver = true;
      });
      let rounds = 0;
      for (; !isOver; rounds++) await loop();
      expect(rounds).toBeGreaterThan(0);
    }
  });
});

describe('a sender', () => {
  it('is notified when the last receiver is closed, and then reaches no receiver', () => {
    const [tx, rx] = watch('one');
    const wait = new Wait(tx.closed());
    expect(wait.poll()).toBe('pending');
    rx.dispose();
    expect([wait.isWoken, wait.poll(), tx.send('two')]).toEqual([true, undefined, false]);
  });

  it('is open again after a subscription', () => {
    const [tx, rx] = watch('one');
    const states = [tx.isClosed];
    rx.dispose();
    states.push(tx.isClosed);
    const again = tx.subscribe();
    states.push(tx.isClosed);
    again.dispose();
    expect([...states, tx.isClosed]).toEqual([false, true, false, true]);
  });

  it('changes nothing and wakes no receiver when its modification throws', () => {
    const [tx, rx] = watch('one');
    tx.sendModify(() => 'two');
    expect(rx.borrowAndUpdate()).toBe('two');
    const wait = new Wait(rx);
    wait.poll();
    const modify = (): string => {
      throw new Error('no');
    };
    expect(() => tx.sendModify(modify)).toThrow('no');
    expect([wait.isWoken, rx.borrow()]).toEqual([false, 'two']);
    tx.sendModify(() => 'three');
    expect(wait.poll()).toBe('three');
  });

  it('shares the value with its clones, and the last one ends it', async () => {
    const [one, rx] = watch(0);
    const two = one.clone();
    one.send(1);
    expect(rx.borrowAndUpdate()).toBe(1);
    two.send(2);
    expect(rx.borrowAndUpdate()).toBe(2);
    const wait = new Wait(rx);
    wait.poll();
    one.close();
    expect(wait.isWoken).toBe(false);
    two.close();
    expect(wait.isWoken).toBe(true);
    await turn();
  });
});
