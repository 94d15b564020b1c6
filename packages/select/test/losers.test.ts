import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { SelectError, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, Probe, rejection, turn } from './vocabulary.ts';

const error = new Error('own');

/** A function that waits for its cancellation, lets `after` do something, and ends as that ends. */
function loser(after: (token: CancellationToken) => unknown) {
  return async (token: CancellationToken): Promise<unknown> => {
    await token.cancelled();
    return after(token);
  };
}

/** A function that obeys. */
const obeys = loser((token) => Promise.reject(token.reason));

describe('a function that loses', () => {
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

  it('is awaited: the select settles when its cleanup is done', async () => {
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

  it('that ignores its cancellation is waited for, however long that takes', async () => {
    const { promise, resolve } = deferred();
    const outcome = select({ deaf: () => promise, tick: Promise.resolve('tick') });
    for (let i = 0; i < 10; i++) expect(await now(outcome)).toBe('pending');
    resolve();
    expect(await outcome).toEqual({ branch: 'tick', value: 'tick', late: [{ branch: 'deaf', value: undefined }] });
  });

  it('is cancelled in order of declaration, when everything is unparked, and no winner is', async () => {
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

  it('may start and cancel another select meanwhile', async () => {
    const inner: unknown[] = [];
    const nested = async (token: CancellationToken): Promise<void> => {
      inner.push(await rejection(select({ obeys }, { signal: token })));
    };
    const outcome = await select({ nested, tick: turn() });
    expect(outcome).toMatchObject({ branch: 'tick', late: [{ branch: 'nested', value: undefined }] });
    expect(inner).toMatchObject([{ source: 'select' }]);
  });
});

describe('a function that wins', () => {
  it('has a token that is never cancelled afterwards', async () => {
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

describe('a loser that ends as it was told', () => {
  it.each([
    ['its reason', (reason: unknown) => reason],
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
  ])('with %s is no error', async (_, make) => {
    const page = loser((token) => Promise.reject(make(token.reason)));
    expect(await select({ page, tick: turn() })).toEqual({ branch: 'tick', value: undefined });
  });

  it('fails with an error of its own, which is thrown, also with the reason as its cause', async () => {
    const page = loser((token) => Promise.reject(new Error('rollback failed', { cause: token.reason })));
    await expect(select({ page, tick: turn() })).rejects.toMatchObject({ errors: [{ message: 'rollback failed' }] });
  });

  it('with a value is listed in late, in order of declaration', async () => {
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

  it('leaves no late behind when it gives none', async () => {
    expect(Object.keys(await select({ obeys, tick: turn() }))).toEqual(['branch', 'value']);
  });
});

describe('a loser with an error of its own', () => {
  it('turns the outcome into a SelectError that has both', async () => {
    const page = loser(() => Promise.reject(error));
    const late = loser(() => 'late');
    const thrown = await rejection(select({ page, late, tick: Promise.resolve('tick') }));
    expect(thrown).toBeInstanceOf(SelectError);
    expect((thrown as SelectError).errors).toEqual([error]);
    expect((thrown as SelectError).outcome).toMatchObject({ branch: 'tick', value: 'tick' });
    expect((thrown as SelectError).message).toContain('branch "tick" won');
  });

  it('comes behind the error that won', async () => {
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

  it('comes behind the reason of a select that was cancelled', async () => {
    const outer = new CancellationToken();
    const outcome = select({ page: loser(() => Promise.reject(error)) }, { signal: outer });
    outer.cancel('stop');
    const thrown = (await rejection(outcome)) as SelectError;
    expect(thrown.errors).toEqual(['stop', error]);
    expect(thrown.message).toContain('the select was cancelled');
  });

  it('leaves an error that won alone, when the losers obey', async () => {
    expect(await rejection(select({ obeys, failing: Promise.reject(error) }))).toBe(error);
  });
});

describe('a function that had settled when another branch was taken', () => {
  /** A sleep that stands first and is due, though its timer has not fired, when the function settles. */
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

  it('is late with its value', async () => {
    expect(await overtaken(() => 'done')).toEqual({
      branch: 'due',
      value: undefined,
      late: [{ branch: 'work', value: 'done' }],
    });
  });

  it('has failed with an error of its own, whatever that looks like: nobody had cancelled it', async () => {
    const abort = new DOMException('its own', 'AbortError');
    const result = await overtaken(() => Promise.reject(abort));
    expect(result).toMatchObject({ error: { name: 'SelectError', errors: [abort], outcome: { branch: 'due' } } });
  });
});

describe('what is not a function', () => {
  it('is left alone when it loses', async () => {
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
