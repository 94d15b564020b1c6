import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { SelectError, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, Probe, rejection, turn } from './vocabulary.ts';

const error = new Error('own');

/** A function that waits for its cancellation, runs `after`, and ends as that does. */
function loser(after: (token: CancellationToken) => unknown) {
  return async (token: CancellationToken): Promise<unknown> => {
    await token.cancelled();
    return after(token);
  };
}

/** A function that ends with its reason when it is cancelled. */
const obeys = loser((token) => Promise.reject(token.reason));

describe('a losing function', () => {
  it('is cancelled with a CancelledError from select that names the winner', async () => {
    const reasons: unknown[] = [];
    const page = loser((token) => {
      reasons.push(token.reason);
      throw token.reason;
    });
    await select({ page, tick: turn() });
    expect(isCancelledError(reasons[0])).toBe(true);
    expect(reasons[0]).toMatchObject({ source: 'select', name: 'AbortError' });
    expect((reasons[0] as Error).message).toBe('Branch "page" lost to branch "tick"');
  });

  it('is awaited: the select settles when its cleanup has ended', async () => {
    const clock = new VirtualClock();
    const ends: number[] = [];
    const slow = (ms: number) =>
      loser(async (token) => {
        await sleep(ms, { clock });
        ends.push(clock.now());
        throw token.reason;
      });
    const outcome = await clock.run(() => select({ a: slow(30), b: slow(10), tick: sleep(5, { clock }) }));
    expect(outcome).toEqual({ branch: 'tick', value: undefined });
    expect(ends).toEqual([15, 35]);
    expect(clock.now()).toBe(35);
  });

  it('is awaited without limit when it ignores its cancellation', async () => {
    const { promise, resolve } = deferred();
    const outcome = select({ deaf: () => promise, tick: Promise.resolve('tick') });
    for (let i = 0; i < 10; i++) expect(await now(outcome)).toBe('pending');
    resolve();
    expect(await outcome).toEqual({ branch: 'tick', value: 'tick', late: [{ branch: 'deaf', value: undefined }] });
  });

  it('is cancelled in order of declaration, after everything is unparked, and a winner is not cancelled', async () => {
    const order: string[] = [];
    const probe = new Probe<number>();
    const tokens: CancellationToken[] = [];
    const watch = (name: string) => (token: CancellationToken) => {
      tokens.push(token);
      token.onCancelled(() => order.push(`${name}, ${probe.waiters.size} parked`));
      return name === 'winner' ? turn().then(() => 'won') : obeys(token);
    };
    const outcome = await select.biased({
      a: watch('a'),
      winner: watch('winner'),
      probe,
      b: watch('b'),
    });
    expect(outcome).toEqual({ branch: 'winner', value: 'won' });
    expect(order).toEqual(['a, 0 parked', 'b, 0 parked']);
    expect(tokens.map(({ isCancelled }) => isCancelled)).toEqual([true, false, true]);
  });

  it('can start and cancel another select before it ends', async () => {
    const inner: unknown[] = [];
    const nested = async (token: CancellationToken): Promise<void> => {
      inner.push(await rejection(select({ obeys }, { signal: token })));
    };
    const outcome = await select({ nested, tick: turn() });
    expect(outcome).toMatchObject({ branch: 'tick', late: [{ branch: 'nested', value: undefined }] });
    expect(inner).toMatchObject([{ source: 'select' }]);
  });
});

describe('a winning function', () => {
  it('has a token that is never cancelled later', async () => {
    const outer = new CancellationToken();
    let token: CancellationToken | undefined;
    let heard = 0;
    const work = async (given: CancellationToken): Promise<string> => {
      token = given;
      given.onCancelled(() => heard++);
      return 'won';
    };
    expect(await select({ work }, { signal: outer })).toEqual({ branch: 'work', value: 'won' });
    outer.cancel();
    expect(token?.isCancelled).toBe(false);
    expect(token?.cancel()).toBe(false);
    expect(heard).toBe(0);
  });
});

describe('a losing function that ends after its cancellation', () => {
  it.each([
    ['its reason', (reason: unknown) => reason],
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
  ])('causes no error with %s', async (_, make) => {
    const page = loser((token) => Promise.reject(make(token.reason)));
    expect(await select({ page, tick: turn() })).toEqual({ branch: 'tick', value: undefined });
  });

  it('causes an error of its own otherwise, even with the reason as its cause', async () => {
    const page = loser((token) => Promise.reject(new Error('rollback failed', { cause: token.reason })));
    await expect(select({ page, tick: turn() })).rejects.toMatchObject({ errors: [{ message: 'rollback failed' }] });
  });

  it('adds its value to `late`, in order of declaration', async () => {
    const clock = new VirtualClock();
    const late = (ms: number) => loser(() => sleep(ms, { clock }).then(() => ms));
    const outcome = await clock.run(() =>
      select({ a: late(30), b: obeys, c: late(10), tick: Promise.resolve(), d: late(20) }),
    );
    expect(outcome).toEqual({
      branch: 'tick',
      value: undefined,
      late: [
        { branch: 'a', value: 30 },
        { branch: 'c', value: 10 },
        { branch: 'd', value: 20 },
      ],
    });
  });

  it('leaves no `late` when there are no values', async () => {
    expect(Object.keys(await select({ obeys, tick: turn() }))).toEqual(['branch', 'value']);
  });
});

describe('a losing function with an error of its own', () => {
  it('turns the outcome into a SelectError that has both', async () => {
    const page = loser(() => Promise.reject(error));
    const late = loser(() => 'late');
    const thrown = await rejection(select({ page, late, tick: Promise.resolve('tick') }));
    expect(thrown).toBeInstanceOf(SelectError);
    expect((thrown as SelectError).errors).toEqual([error]);
    expect((thrown as SelectError).outcome).toMatchObject({ branch: 'tick', value: 'tick' });
    expect((thrown as SelectError).message).toContain('branch "tick" won');
  });

  it('comes after the error that won', async () => {
    const first = new Error('first');
    const { promise, reject } = deferred();
    const outcome = select({ page: loser(() => Promise.reject(error)), failing: promise });
    reject(first);
    const thrown = (await rejection(outcome)) as SelectError;
    expect(thrown).toBeInstanceOf(SelectError);
    expect(thrown.errors).toEqual([first, error]);
    expect(thrown.outcome).toBe(undefined);
    expect(thrown.message).toContain('branch "failing" failed');
  });

  it('comes after the reason of a cancelled select', async () => {
    const outer = new CancellationToken();
    const outcome = select({ page: loser(() => Promise.reject(error)) }, { signal: outer });
    outer.cancel('stop');
    const thrown = (await rejection(outcome)) as SelectError;
    expect(thrown.errors).toEqual(['stop', error]);
    expect(thrown.message).toContain('the select was cancelled');
  });

  it('is absent when the losers end with their cancellation: then the winning error is thrown alone', async () => {
    expect(await rejection(select({ obeys, failing: Promise.reject(error) }))).toBe(error);
  });
});

describe('a function that had settled when another branch was taken', () => {
  /** A sleep that comes first and whose deadline has passed when the function settles, although its timer has not fired. */
  async function overtaken(settle: () => unknown): Promise<unknown> {
    const clock = new VirtualClock();
    const earlier = deferred();
    clock.setTimer(10, () => earlier.resolve());
    let wasCancelled: boolean | undefined;
    const work = async (token: CancellationToken): Promise<unknown> => {
      await earlier.promise;
      wasCancelled = token.isCancelled;
      return settle();
    };
    const result = clock.run(() => select.biased({ due: sleep(10, { clock }), work }));
    const settled = await result.catch((error: unknown) => ({ error }));
    expect(wasCancelled).toBe(false);
    return settled;
  }

  it('has its value in `late`', async () => {
    expect(await overtaken(() => 'done')).toEqual({
      branch: 'due',
      value: undefined,
      late: [{ branch: 'work', value: 'done' }],
    });
  });

  it('has an error of its own with any error, since it was not cancelled', async () => {
    const abort = new DOMException('its own', 'AbortError');
    const result = await overtaken(() => Promise.reject(abort));
    expect(result).toMatchObject({ error: { name: 'SelectError', errors: [abort], outcome: { branch: 'due' } } });
  });
});

describe('a losing branch that is no function', () => {
  it('stays untouched', async () => {
    const token = new CancellationToken();
    const { promise, resolve } = deferred<string>();
    const probe = new Probe<number>();
    const { signal } = new AbortController();
    expect(await select({ token, promise, probe, signal, done: Promise.resolve(1) })).toMatchObject({ branch: 'done' });
    expect(await select({ token, promise, probe, signal, done: cancelled(1) })).toMatchObject({ branch: 'done' });
    expect(token.isCancelled).toBe(false);
    expect(probe.waiters.size).toBe(0);
    resolve('later');
    expect(await promise).toBe('later');
    probe.push(7);
    expect(await select({ probe })).toEqual({ branch: 'probe', value: 7 });
  });
});
