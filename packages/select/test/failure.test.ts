import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { branchOf, SelectError, select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection } from './vocabulary.ts';

const error = new Error('disk full');

describe('a branch that fails first', () => {
  it.each([
    ['a promise', () => Promise.reject(error)],
    ['a function that rejects', () => async () => Promise.reject(error)],
    [
      'a function that throws',
      () => () => {
        throw error;
      },
    ],
    ['a ready source', () => failingSource(error)],
  ])('fails the select with its error, verbatim: %s', async (_, make) => {
    expect(await rejection(select({ disk: make(), other: new CancellationToken() }))).toBe(error);
    expect(branchOf(error)).toBe('disk');
  });

  it('consumes no value of the other branches', async () => {
    const probe = new Probe<number>();
    const { promise, reject } = deferred();
    const outcome = select({ promise, probe });
    reject(error);
    expect(await rejection(outcome)).toBe(error);
    probe.push(1);
    expect(probe.values).toEqual([1]);
    expect(probe.waiters.size).toBe(0);
  });

  it('can be a receiver that lags or is closed', async () => {
    const [tx, rx] = broadcast<number>(1);
    const waiting = new CancellationToken();
    for (const n of [1, 2, 3]) tx.send(n);
    expect(await rejection(select({ rx, waiting }))).toMatchObject({ name: 'LaggedError', missedCount: 2 });
    expect(await select({ rx, waiting })).toEqual({ branch: 'rx', value: 3 });
    const end = select({ waiting, rx });
    tx.close();
    expect(await rejection(end)).toBeInstanceOf(ClosedError);
  });

  it('can fail with any value', async () => {
    for (const reason of [undefined, null, 'text', 0]) {
      expect(await rejection(select({ p: Promise.reject(reason) }))).toBe(reason);
      expect(branchOf(reason)).toBe(undefined);
    }
  });
});

describe('branchOf', () => {
  it('returns the branch of the latest select that rejected with that object', async () => {
    const shared = new Error('shared');
    expect(branchOf(shared)).toBe(undefined);
    await rejection(select({ first: Promise.reject(shared) }));
    expect(branchOf(shared)).toBe('first');
    await rejection(select({ second: failingSource(shared), other: cancelled(1) && null }));
    expect(branchOf(shared)).toBe('second');
  });

  it('returns the outer branch of a nested select', async () => {
    const inner = async (): Promise<unknown> => select({ inner: Promise.reject(error) });
    await rejection(select({ outer: inner }));
    expect(branchOf(error)).toBe('outer');
  });

  it('works for functions as errors, and returns undefined for other errors', async () => {
    const odd = (): void => {};
    await rejection(select({ odd: Promise.reject(odd) }));
    expect(branchOf(odd)).toBe('odd');
    expect([branchOf(new Error('other')), branchOf(undefined), branchOf('text')]).toEqual(Array(3).fill(undefined));
  });

  it('returns undefined for the reason of a cancelled select', async () => {
    const reason = new Error('stop');
    await rejection(select({ waits: never() }, { signal: cancelled(reason) }));
    expect(branchOf(reason)).toBe(undefined);
  });
});

describe('SelectError', () => {
  it('is thrown when every branch is off and there is no else', async () => {
    const thrown = await rejection(select({ a: false, b: null, c: undefined }));
    expect(thrown).toBeInstanceOf(SelectError);
    expect(thrown).toBeInstanceOf(AggregateError);
    expect(thrown).toMatchObject({ name: 'SelectError', code: 'ERR_SELECT', errors: [], outcome: undefined });
    expect((thrown as Error).message).toContain('every branch is off and there is no else');
  });
});

function failingSource(failure: unknown): Probe<never> {
  const probe = new Probe<never>();
  probe.onPoll = () => {
    throw failure;
  };
  return probe;
}
