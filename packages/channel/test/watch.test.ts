import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { watch } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { now, park, rejection, runEventLoop } from './vocabulary.ts';

describe('a watch', () => {
  it('shows the latest value, and the first one counts as seen', async () => {
    const [tx, rx] = watch('a');
    expect([rx.borrow(), tx.borrow(), rx.hasChanged()]).toEqual(['a', 'a', false]);
    tx.send('b');
    tx.send('c');
    expect([rx.borrow(), rx.hasChanged()]).toEqual(['c', true]);
    expect(await rx.changed()).toBe('c');
    expect(rx.hasChanged()).toBe(false);
    expect(await now(rx.changed())).toBe('pending');
  });

  it('wakes every wait, each once for each change', async () => {
    const [tx, rx] = watch(0);
    const other = rx.clone();
    const [first, second] = [rx.changed(), other.changed()];
    tx.send(1);
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    const third = tx.subscribe().changed();
    expect(await now(third)).toBe('pending');
    tx.send(2);
    expect(await third).toBe(2);
  });

  it('gives several waits on one receiver one change each, in order', async () => {
    const [tx, rx] = watch(0);
    const waiting = [rx.changed(), rx.changed()];
    tx.send(1);
    expect(await waiting[0]).toBe(1);
    expect(await now(waiting[1] as Promise<number>)).toBe('pending');
    tx.send(2);
    expect(await waiting[1]).toBe(2);
  });

  it('passes a change on when the first woken wait does not use it', async () => {
    const [tx, rx] = watch(0);
    park(rx);
    const next = rx.changed();
    tx.send(1);
    expect(await next).toBe(1);
  });

  it('can be marked as seen or not seen by hand', async () => {
    const [tx, rx] = watch('a');
    const copy = rx.clone();
    const waiting = rx.changed();
    rx.markChanged();
    expect(await waiting).toBe('a');
    rx.markChanged();
    expect([rx.hasChanged(), copy.hasChanged()]).toEqual([true, false]);
    rx.markUnchanged();
    expect(rx.hasChanged()).toBe(false);
    tx.send('b');
    expect([rx.borrowAndUpdate(), rx.hasChanged(), copy.hasChanged()]).toEqual(['b', false, true]);
    expect(copy.clone().hasChanged()).toBe(true);
  });

  it('counts its handles', () => {
    const [tx, rx] = watch(0);
    const [other, second] = [tx.clone(), rx.clone()];
    expect([tx.senderCount, tx.receiverCount]).toEqual([2, 2]);
    expect([tx.sameChannel(other), rx.sameChannel(second), rx.sameChannel(watch(0)[1])]).toEqual([true, true, false]);
    other.close();
    other.close();
    second.dispose();
    second.dispose();
    expect([tx.senderCount, tx.receiverCount, tx.isClosed, rx.isClosed]).toEqual([1, 1, false, false]);
  });
});

describe('sending', () => {
  it('stores nothing while there is no receiver, and returns false', () => {
    const [tx, rx] = watch('a');
    rx.dispose();
    expect([tx.send('b'), tx.borrow(), tx.isClosed]).toEqual([false, 'a', true]);
    expect([tx.sendReplace('c'), tx.borrow()]).toEqual(['a', 'c']);
    const again = tx.subscribe();
    expect([tx.send('d'), again.borrow(), tx.isClosed]).toEqual([true, 'd', false]);
  });

  it('sendModify makes the new value from the old one, and wakes the receivers even for the same object', () => {
    const [tx, rx] = watch({ count: 1 });
    tx.sendModify((value) => {
      value.count++;
      return value;
    });
    expect([rx.hasChanged(), rx.borrowAndUpdate()]).toEqual([true, { count: 2 }]);
  });

  it('sendIfModified wakes the receivers only when the value is another one', () => {
    const [tx, rx] = watch<number>(Number.NaN);
    expect([tx.sendIfModified(() => Number.NaN), rx.hasChanged()]).toEqual([false, false]);
    expect([tx.sendIfModified(() => 1), rx.hasChanged()]).toEqual([true, true]);
  });

  it('changes nothing when the function throws, returns a thenable, or has itself sent', () => {
    const [tx, rx] = watch<string | object>('a');
    const failing = (): never => {
      throw new Error('in the function');
    };
    expect(() => tx.sendModify(failing)).toThrow('in the function');
    expect(() => tx.sendIfModified(() => Promise.resolve() as never)).toThrow(TypeError);
    expect([tx.borrow(), rx.hasChanged()]).toEqual(['a', false]);
    expect(() => tx.sendModify(() => (tx.send('inner') ? 'outer' : ''))).toThrow(TypeError);
    expect(tx.borrow()).toBe('inner');
  });

  it('inside a wake-up is seen by every receiver', async () => {
    const [tx, rx] = watch(0);
    const last = rx.clone();
    park(rx, () => void tx.send(2));
    const waiting = last.changed();
    tx.send(1);
    expect(await waiting).toBe(2);
    expect(rx.borrowAndUpdate()).toBe(2);
  });

  it('is refused by a closed sender', () => {
    const [tx] = watch(0);
    tx.close();
    const acts = [
      () => tx.send(1),
      () => tx.sendReplace(1),
      () => tx.sendModify((n) => n),
      () => tx.sendIfModified((n) => n),
      () => tx.subscribe(),
      () => tx.clone(),
    ];
    for (const act of acts) expect(act).toThrow(ClosedError);
  });
});

describe('the end of a watch', () => {
  it('comes when all senders are closed and the last change is seen; the value stays', async () => {
    const [tx, rx] = watch('a');
    tx.send('last');
    tx.close();
    expect([rx.isClosed, rx.hasChanged()]).toEqual([true, true]);
    expect(await rx.changed()).toBe('last');
    expect(await rejection(rx.changed())).toBeInstanceOf(ClosedError);
    expect(rx.borrow()).toBe('last');
  });

  it('reaches the waits', async () => {
    const [tx, rx] = watch('a');
    const waiting = [rx.changed(), rx.waitFor((value) => value === 'b'), select({ rx })].map(rejection);
    await runEventLoop();
    tx.close();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(ClosedError);
  });

  it('is reported to senders when there is no receiver left', async () => {
    const [tx, rx] = watch('a');
    const second = rx.clone();
    const waiting = tx.closed().then(() => 'closed');
    rx.dispose();
    expect(await now(waiting)).toBe('pending');
    second.dispose();
    expect(await waiting).toBe('closed');
    tx.subscribe();
    expect(await now(tx.closed())).toBe('pending');
  });

  it('comes for the waits on a receiver that is disposed', async () => {
    const [tx, rx] = watch('a');
    const other = tx.subscribe().changed();
    const waiting = [rx.changed(), rx.waitFor(() => false)].map(rejection);
    await runEventLoop();
    rx.dispose();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(ClosedError);
    tx.send('b');
    expect(await other).toBe('b');
    expect(await rejection(rx.changed())).toBeInstanceOf(ClosedError);
  });
});

describe('waitFor', () => {
  it('is satisfied by the current value, even when it was seen, and when all senders are closed', async () => {
    const [tx, rx] = watch(5);
    expect(await rx.waitFor((n) => n === 5)).toBe(5);
    tx.close();
    expect(await rx.waitFor((n) => n === 5)).toBe(5);
    expect(await rejection(rx.waitFor((n) => n === 6))).toBeInstanceOf(ClosedError);
  });

  it('checks each change once, until it is satisfied', async () => {
    const [tx, rx] = watch(0);
    const shown: number[] = [];
    const waiting = rx.waitFor((n) => shown.push(n) > 0 && n > 1);
    for (const n of [1, 2, 3]) tx.send(n);
    expect(await waiting).toBe(2);
    expect(shown).toEqual([0, 1, 2]);
    expect(rx.hasChanged()).toBe(true);
  });

  it('also checks changes that another wait on the same receiver has taken', async () => {
    const [tx, rx] = watch(0);
    const [changed, waiting] = [rx.changed(), rx.waitFor((n) => n === 1)];
    tx.send(1);
    expect(await changed).toBe(1);
    expect(await waiting).toBe(1);
  });

  it('fails with the error of its predicate, and can be given up', async () => {
    const [tx, rx] = watch(0);
    const failing = rx.waitFor((n) => {
      if (n === 1) throw new Error('in the predicate');
      return false;
    });
    tx.send(1);
    await expect(failing).rejects.toThrow('in the predicate');
    expect(await rejection(rx.waitFor(() => false, { timeout: 0 }))).toBeInstanceOf(TimeoutError);
    expect(await rejection(rx.waitFor(() => true, { signal: AbortSignal.abort('no') }))).toBe('no');
  });
});

describe('a receiver', () => {
  it('can be given up without having seen anything', async () => {
    const [tx, rx] = watch(0);
    const token = new CancellationToken();
    const given = rejection(rx.changed({ signal: token }));
    token.cancel('enough');
    expect(await given).toBe('enough');
    tx.send(1);
    expect(await rejection(rx.changed({ signal: token }))).toBe('enough');
    expect(rx.hasChanged()).toBe(true);
  });

  it('is a branch of select, whose value is the new one', async () => {
    const [tx, rx] = watch(0);
    const waiting = select({ rx, never: new CancellationToken() });
    tx.send(1);
    expect(await waiting).toEqual({ branch: 'rx', value: 1 });
    expect(rx.hasChanged()).toBe(false);
  });

  it('waits for nothing when it is disposed, whatever the value is', async () => {
    const [, rx] = watch(0);
    rx.dispose();
    expect(await rejection(rx.waitFor(() => true))).toBeInstanceOf(ClosedError);
    expect(await rejection(rx.changed())).toBeInstanceOf(ClosedError);
  });

  it('shared by several loops gives each change to one of them, in order', async () => {
    const [tx, rx] = watch(0);
    const seen: string[] = [];
    const loop = async (name: string): Promise<void> => {
      for await (const value of rx) seen.push(`${name}${value}`);
    };
    const loops = [loop('a'), loop('b')];
    for (const value of [1, 2, 3, 4]) {
      tx.send(value);
      await runEventLoop();
    }
    tx.close();
    await Promise.all(loops);
    expect(seen).toEqual(['a1', 'b2', 'a3', 'b4']);
  });

  it('iterates over the changes, and ends with the last', async () => {
    const [tx, rx] = watch(0);
    const loop = (async () => {
      const seen: number[] = [];
      for await (const value of rx) seen.push(value);
      return seen;
    })();
    for (const value of [1, 2]) {
      tx.send(value);
      await runEventLoop();
    }
    // The loop waits: it takes the first value inside the send, and the latest when it resumes.
    for (const value of [3, 4, 5]) tx.send(value);
    tx.close();
    expect(await loop).toEqual([1, 2, 3, 5]);
  });
});
