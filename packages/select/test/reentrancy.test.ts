import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, type Waiter } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, Flag, now, Probe, rejection, turn } from './vocabulary.ts';

describe('a source written from the public documentation alone', () => {
  it('is a branch like any other', async () => {
    const flag = new Flag();
    const waits = select({ flag, other: new CancellationToken() });
    expect(await now(waits)).toBe('pending');
    flag.raise();
    expect(await waits).toEqual({ branch: 'flag', value: true });
    expect(await select({ flag })).toEqual({ branch: 'flag', value: true });
  });

  it('loses, and can be awaited again', async () => {
    const flag = new Flag();
    expect(await select({ flag, ready: cancelled(1) })).toMatchObject({ branch: 'ready' });
    expect(await select({ flag, tick: turn() })).toMatchObject({ branch: 'tick' });
    const waits = select({ flag });
    flag.raise();
    expect(await waits).toMatchObject({ branch: 'flag' });
  });

  it('can be in one select twice, and in many, although it wakes a copied list of waiters', async () => {
    const flag = new Flag();
    const all = [select.biased({ a: flag, b: flag }), select({ flag }), select.biased({ b: flag, a: flag })];
    expect(() => flag.raise()).not.toThrow();
    expect(await Promise.all(all)).toMatchObject([{ branch: 'a' }, { branch: 'flag' }, { branch: 'b' }]);
  });

  it('can wake a select that already awaits its losers, which keeps awaiting them', async () => {
    const flag = new Flag();
    const ended: string[] = [];
    const work = async (token: CancellationToken): Promise<string> => {
      await token.cancelled();
      await turn();
      ended.push('work');
      return 'late';
    };
    const outcome = select.biased({ a: flag, b: flag, work });
    flag.raise();
    expect(ended).toEqual([]);
    expect(await outcome).toEqual({ branch: 'a', value: true, late: [{ branch: 'work', value: 'late' }] });
    expect(ended).toEqual(['work']);
  });
});

describe('a source that', () => {
  it('wakes during park decides at once, and no later branch is parked on or started', async () => {
    const [first, behind] = [new Probe<string>(), new Probe<string>()];
    let started = false;
    const work = () => (started = true);
    first.onPark = () => first.push('at once');
    const outcome = select.biased({ first, behind, work });
    expect(await outcome).toEqual({ branch: 'first', value: 'at once' });
    expect([first.waiters.size, behind.parks, started]).toEqual([0, 0, false]);
  });

  it('makes another source ready during park lets that one win', async () => {
    const [first, second] = [new Probe<string>(), new Probe<string>()];
    second.onPark = () => first.push('first');
    expect(await select.biased({ first, second })).toEqual({ branch: 'first', value: 'first' });
    expect([first.waiters.size, second.waiters.size]).toEqual([0, 0]);
  });

  it('wakes without being ready is awaited again', async () => {
    const probe = new Probe<number>();
    const outcome = select({ probe, other: new CancellationToken() });
    for (let i = 0; i < 5; i++) probe.wake();
    expect(probe.parks).toBe(6);
    probe.push(1);
    expect(await outcome).toEqual({ branch: 'probe', value: 1 });
  });

  it('fails during a wake-up fails the select, and not the code that woke it', async () => {
    const probe = new Probe<number>();
    const error = new Error('poll');
    const outcome = select({ probe });
    probe.onPoll = () => {
      throw error;
    };
    expect(() => probe.wake()).not.toThrow();
    expect(await rejection(outcome)).toBe(error);
  });
});

describe('a nested wake-up', () => {
  it('of the same select causes no second decision', async () => {
    const [a, b] = [new Probe<string>(), new Probe<string>()];
    const outcome = select.biased({ a, b });
    let nested = 0;
    a.onPoll = () => {
      if (nested++ === 0) b.push('b');
    };
    a.wake();
    expect(await outcome).toEqual({ branch: 'b', value: 'b' });
    expect([a.waiters.size, b.waiters.size]).toEqual([0, 0]);
  });

  it('that a select cannot use goes to the next waiter', async () => {
    const [tx, rx] = broadcast<string>(4);
    const token = new CancellationToken();
    const probe = new Probe<string>();
    probe.values.length = 0;
    const first = select.biased({ probe, rx });
    const second = select({ rx, token });
    probe.values.push('something better');
    tx.send('message');
    expect(await first).toEqual({ branch: 'probe', value: 'something better' });
    expect(await second).toEqual({ branch: 'rx', value: 'message' });
  });
});

describe('a select in a callback', () => {
  it('of a cancellation sees the token as cancelled, and its own branches work', async () => {
    const token = new CancellationToken();
    const [tx, rx] = broadcast<number>(4);
    const inside: Promise<unknown>[] = [];
    token.onCancelled(() => {
      inside.push(select.biased({ token, rx }), select({ rx, tick: turn() }));
      tx.send(1);
    });
    token.cancel('now');
    expect(await Promise.all(inside)).toEqual([
      { branch: 'token', value: 'now' },
      { branch: 'rx', value: 1 },
    ]);
  });

  it('of a cancelled loser can wait for the same source', async () => {
    const [tx, rx] = broadcast<string>(4);
    let inside: Promise<unknown> | undefined;
    const work = async (token: CancellationToken): Promise<never> => {
      token.onCancelled(() => {
        inside = select({ rx });
      });
      await token.cancelled();
      throw token.reason;
    };
    const outcome = select({ rx, work });
    tx.send('one');
    tx.send('two');
    expect(await outcome).toEqual({ branch: 'rx', value: 'one' });
    expect(await inside).toEqual({ branch: 'rx', value: 'two' });
  });

  it('of a loser can give up another wait for the source that is waking', async () => {
    const [tx, rx] = broadcast<string>(4);
    const other = new CancellationToken();
    const work = async (token: CancellationToken): Promise<never> => {
      token.onCancelled(() => other.cancel('given up'));
      await token.cancelled();
      throw token.reason;
    };
    const first = select({ rx, work });
    const second = select({ rx }, { signal: other });
    tx.send('one');
    expect(await first).toEqual({ branch: 'rx', value: 'one' });
    expect(await rejection(second)).toBe('given up');
    tx.send('two');
    expect(await rx.recv()).toBe('two');
  });

  it('has a waiter that a source cannot park twice', async () => {
    const probe = new Probe<number>();
    const parked: Waiter[] = [];
    probe.onPark = (waiter) => parked.push(waiter);
    const outcome = select.biased({ a: probe, b: probe });
    expect(new Set(parked).size).toBe(2);
    probe.push(1);
    expect(await outcome).toEqual({ branch: 'a', value: 1 });
    expect(probe.waiters.size).toBe(0);
  });
});
