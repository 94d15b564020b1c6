// A function may decide the select that is starting it. Then it is cancelled and awaited too, and no other function starts.
import { CancellationToken } from '@quiesce/cancellation-token';
import { SelectError, select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { now, Probe, rejection, turn } from './vocabulary.ts';

interface Log {
  started: string[];
  cancelled: string[];
  ended: string[];
}

/** A function that records its calls, and runs code synchronously. */
function noting(log: Log, name: string, act: () => void = () => {}) {
  return async (token: CancellationToken): Promise<void> => {
    log.started.push(name);
    token.onCancelled(() => log.cancelled.push(name));
    act();
    await token.cancelled();
    await turn();
    log.ended.push(name);
    throw token.reason;
  };
}

const fresh = (): Log => ({ started: [], cancelled: [], ended: [] });

describe('a function that, while it starts,', () => {
  it('makes an earlier source ready ends the start: it is cancelled and awaited', async () => {
    const log = fresh();
    const probe = new Probe<number>();
    const outcome = await select.biased({
      a: noting(log, 'a'),
      probe,
      b: noting(log, 'b', () => probe.push(1)),
      c: noting(log, 'c'),
    });
    expect(outcome).toEqual({ branch: 'probe', value: 1 });
    expect(log).toEqual({ started: ['a', 'b'], cancelled: ['a', 'b'], ended: ['a', 'b'] });
    expect(probe.waiters.size).toBe(0);
  });

  it('makes a later source ready ends the start, too', async () => {
    const log = fresh();
    const token = new CancellationToken();
    const outcome = await select.biased({
      a: noting(log, 'a', () => token.cancel('stop')),
      b: noting(log, 'b'),
      token,
    });
    expect(outcome).toEqual({ branch: 'token', value: 'stop' });
    expect(log).toEqual({ started: ['a'], cancelled: ['a'], ended: ['a'] });
  });

  it('cancels the select ends the start: the started functions are cancelled and awaited', async () => {
    const log = fresh();
    const outer = new CancellationToken();
    const outcome = select(
      { a: noting(log, 'a'), b: noting(log, 'b', () => outer.cancel('stop')), c: noting(log, 'c') },
      { signal: outer },
    );
    expect(await rejection(outcome)).toBe('stop');
    expect(log).toEqual({ started: ['a', 'b'], cancelled: ['a', 'b'], ended: ['a', 'b'] });
  });

  it('throws wins with that error: the earlier ones are cancelled, and the later ones do not start', async () => {
    const log = fresh();
    const error = new Error('at once');
    const throws = (): never => {
      throw error;
    };
    const outcome = select.biased({ a: noting(log, 'a'), throws, c: noting(log, 'c') });
    expect(await rejection(outcome)).toBe(error);
    expect(log).toEqual({ started: ['a'], cancelled: ['a'], ended: ['a'] });
  });

  it('decides the select and throws is a loser with an error of its own', async () => {
    const error = new Error('and then it threw');
    const probe = new Probe<number>();
    const both = (): never => {
      probe.push(1);
      throw error;
    };
    const thrown = (await rejection(select({ probe, both }))) as SelectError;
    expect(thrown).toBeInstanceOf(SelectError);
    expect(thrown.errors).toEqual([error]);
    expect(thrown.outcome).toEqual({ branch: 'probe', value: 1 });
    expect(thrown.message).toContain('branch "probe" won');
  });

  it('decides the select and returns a plain value has that value in `late`', async () => {
    const probe = new Probe<number>();
    const both = (): string => {
      probe.push(1);
      return 'value';
    };
    expect(await select({ probe, both })).toEqual({
      branch: 'probe',
      value: 1,
      late: [{ branch: 'both', value: 'value' }],
    });
  });

  it('starts another select over the same branches takes no value from it', async () => {
    const probe = new Probe<string>();
    let inner: Promise<unknown> | undefined;
    const work = async (token: CancellationToken): Promise<never> => {
      inner = select({ probe });
      await token.cancelled();
      throw token.reason;
    };
    const outer = select({ probe, work });
    probe.push('first waiter');
    expect(await outer).toEqual({ branch: 'probe', value: 'first waiter' });
    expect(inner && (await now(inner))).toBe('pending');
    probe.push('second');
    expect(await inner).toEqual({ branch: 'probe', value: 'second' });
  });
});

describe('functions are started', () => {
  it('in order of declaration, wherever the polling starts, inside the call', () => {
    const log = fresh();
    const branches = { a: noting(log, 'a'), b: noting(log, 'b'), c: noting(log, 'c') };
    const stop = new CancellationToken();
    select(branches, { random: () => 0.5, signal: stop }).catch(() => {});
    expect(log.started).toEqual(['a', 'b', 'c']);
    stop.cancel();
  });

  it('after everything else is parked on', () => {
    const [before, behind] = [new Probe<number>(), new Probe<number>()];
    let parked: number[] = [];
    const work = (): void => {
      parked = [before.waiters.size, behind.waiters.size];
    };
    void select({ before, work, behind });
    expect(parked).toEqual([1, 1]);
  });

  it('each with its own token', async () => {
    const tokens: CancellationToken[] = [];
    const work = (token: CancellationToken): void => void tokens.push(token);
    await select({ a: work, b: work });
    expect(new Set(tokens).size).toBe(2);
  });

  it('and the first of several that return synchronously wins', async () => {
    expect(await select.biased({ a: () => 1, b: () => 2 })).toMatchObject({ branch: 'a', value: 1 });
  });
});
