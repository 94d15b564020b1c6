import { broadcast } from '@quiesce/broadcast-channel';
import { type CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { match, select, settle, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, Probe, rejection, turn } from './vocabulary.ts';

const error = new Error('disk');

describe('settle turns into a value', () => {
  it('the value and the error of a source', async () => {
    const probe = new Probe('value');
    expect(await select({ a: settle(probe) })).toEqual({ branch: 'a', value: { status: 'fulfilled', value: 'value' } });
    probe.onPoll = () => {
      throw error;
    };
    expect(await select({ a: settle(probe) })).toEqual({ branch: 'a', value: { status: 'rejected', reason: error } });
    expect(trySelect({ a: settle(probe) })).toEqual({
      ok: true,
      branch: 'a',
      value: { status: 'rejected', reason: error },
    });
  });

  it('the later value of a source', async () => {
    const probe = new Probe<number>();
    const outcome = select({ a: settle(probe) });
    expect(await now(outcome)).toBe('pending');
    probe.push(1);
    expect(await outcome).toEqual({ branch: 'a', value: { status: 'fulfilled', value: 1 } });
  });

  it('the lag and the end of a receiver', async () => {
    const [tx, rx] = broadcast<number>(1);
    for (const n of [1, 2, 3]) tx.send(n);
    tx.close();
    const settled = settle(rx);
    const read = async () => (await select({ settled })).value;
    expect(await read()).toMatchObject({ status: 'rejected', reason: { missedCount: 2 } });
    expect(await read()).toEqual({ status: 'fulfilled', value: 3 });
    expect(await read()).toMatchObject({ status: 'rejected', reason: { name: 'ClosedError' } });
    expect(await read()).toMatchObject({ status: 'rejected', reason: { name: 'ClosedError' } });
  });

  it('a promise, however often it is settled', async () => {
    const fails = Promise.reject(error);
    const { promise, resolve } = deferred<number>();
    for (let i = 0; i < 3; i++) {
      expect(await select({ fails: settle(fails), other: settle(promise) })).toMatchObject({ branch: 'fails' });
    }
    resolve(2);
    expect((await select({ other: settle(promise) })).value).toEqual({ status: 'fulfilled', value: 2 });
  });

  it('a function, including one that throws', async () => {
    expect((await select({ a: settle(async () => 1) })).value).toEqual({ status: 'fulfilled', value: 1 });
    const throws = (): never => {
      throw error;
    };
    expect((await select({ a: settle(throws) })).value).toEqual({ status: 'rejected', reason: error });
  });

  it('a token and a signal, which never fail', async () => {
    expect((await select({ a: settle(cancelled(1)) })).value).toEqual({ status: 'fulfilled', value: 1 });
    expect((await select({ a: settle(AbortSignal.abort(2)) })).value).toEqual({ status: 'fulfilled', value: 2 });
  });
});

describe('settle', () => {
  it('keeps the cancellation of a losing function, and adds its own error to `late` as a value', async () => {
    const obeys = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw token.reason;
    };
    const fails = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw error;
    };
    const outcome = await select({ obeys: settle(obeys), fails: settle(fails), tick: turn() });
    expect(outcome).toEqual({
      branch: 'tick',
      value: undefined,
      late: [{ branch: 'fails', value: { status: 'rejected', reason: error } }],
    });
  });

  it('returns a branch that is off', async () => {
    expect([settle(false), settle(null), settle(undefined)]).toEqual([false, null, undefined]);
    expect(await select({ a: settle(false), else: () => 'off' })).toMatchObject({ branch: 'else' });
  });

  it('parks on nothing of its own', async () => {
    const probe = new Probe<number>();
    await select({ a: settle(probe), tick: turn() });
    expect([probe.waiters.size, probe.parks]).toEqual([0, 1]);
    expect(settle(probe)[source].poll()).toBe(PENDING);
  });

  it('throws for a value that is no branch, and for a match', async () => {
    expect(() => settle(5 as never)).toThrow(TypeError);
    expect(() => settle(match(new Probe(1)) as never)).toThrow('settle the branch first');
    expect(await rejection(select({ a: Promise.reject(error) }))).toBe(error);
  });
});
