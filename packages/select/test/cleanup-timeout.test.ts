import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { CleanupTimeoutError, SelectError, select, sleep } from '@quiesce/select';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection, turn } from './vocabulary.ts';

const uncaught: unknown[] = [];
beforeEach(() => {
  uncaught.length = 0;
  setUncaughtHandler((error) => uncaught.push(error));
});
afterEach(() => void setUncaughtHandler(undefined));

/** Ends this many ms after its cancellation. */
const slow = (ms: number, clock: VirtualClock, end: (token: CancellationToken) => unknown) => {
  return async (token: CancellationToken): Promise<unknown> => {
    await token.cancelled();
    await sleep(ms, { clock });
    return end(token);
  };
};
const obeys = (token: CancellationToken): never => {
  throw token.reason;
};

describe('cleanupTimeout', () => {
  it('has no effect when losers end in time', async () => {
    const clock = new VirtualClock();
    const branches = { slow: slow(10, clock, obeys), tick: sleep(5, { clock }) };
    const outcome = await clock.run(() => select(branches, { cleanupTimeout: 20, clock }));
    expect(outcome).toEqual({ branch: 'tick', value: undefined });
    expect([clock.now(), clock.pendingCount]).toEqual([15, 0]);
  });

  it('starts at the cancellation, and its error names the functions that still run, with their ages', async () => {
    const clock = new VirtualClock();
    const branches = {
      deaf: () => never(),
      obeys: slow(0, clock, obeys),
      late: slow(10, clock, () => 'late'),
      mute: () => never(),
    };
    const running = clock.run(() =>
      select({ ...branches, tick: sleep(100, { clock }) }, { cleanupTimeout: 50, clock }),
    );
    const error = (await rejection(running)) as CleanupTimeoutError;
    expect(error).toBeInstanceOf(CleanupTimeoutError);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ name: 'CleanupTimeoutError', code: 'ERR_CLEANUP_TIMEOUT', ms: 50, errors: [] });
    expect(error.unfinished).toEqual([
      { name: 'deaf', ageMs: 150 },
      { name: 'mute', ageMs: 150 },
    ]);
    expect(error.outcome).toEqual({ branch: 'tick', value: undefined, late: [{ branch: 'late', value: 'late' }] });
    expect(error.message).toContain(
      'did not end within 50 ms: "deaf" (running for 150 ms), "mute" (running for 150 ms)',
    );
    expect([clock.now(), clock.pendingCount]).toEqual([150, 0]);
  });

  it('keeps the failure that won, and the errors of losers up to that time', async () => {
    const clock = new VirtualClock();
    const [won, own] = [new Error('won'), new Error('own')];
    const lost = slow(5, clock, () => Promise.reject(own));
    const fails = sleep(1, { clock }).then(() => Promise.reject(won));
    const running = clock.run(() => select({ deaf: () => never(), lost, fails }, { cleanupTimeout: 50, clock }));
    const error = (await rejection(running)) as CleanupTimeoutError;
    expect(error.errors).toEqual([won, own]);
    expect(error.outcome).toBe(undefined);
  });

  it('applies to a select that is cancelled, whose reason comes first', async () => {
    const clock = new VirtualClock();
    const stop = new CancellationToken();
    const running = clock.run(() => {
      const result = select({ deaf: () => never() }, { cleanupTimeout: 50, clock, signal: stop });
      stop.cancel('stop');
      return result;
    });
    expect(await rejection(running)).toMatchObject({ name: 'CleanupTimeoutError', errors: ['stop'] });
  });

  it('of 0 lets losers end within one round of the event loop', async () => {
    const clock = new VirtualClock();
    const branches = { deaf: () => never(), quick: slow(0, clock, obeys), tick: turn() };
    const error = await rejection(clock.run(() => select(branches, { cleanupTimeout: 0, clock })));
    expect(error).toMatchObject({ unfinished: [{ name: 'deaf' }] });
  });

  it('sets no timer when no function has lost, and has no limit when it is Infinity', async () => {
    const clock = new VirtualClock();
    await select({ probe: new Probe(1), work: () => never() }, { cleanupTimeout: 50, clock });
    await select({ work: async () => 1 }, { cleanupTimeout: 50, clock });
    expect(clock.pendingCount).toBe(0);
    const { promise, resolve } = deferred();
    const outcome = select({ deaf: () => promise, tick: turn() }, { cleanupTimeout: Number.POSITIVE_INFINITY, clock });
    await turn();
    expect(clock.pendingCount).toBe(0);
    resolve();
    expect(await outcome).toMatchObject({ branch: 'tick' });
  });

  it.each([-1, Number.NaN, '5', null])('throws for %s before any branch is polled', async (wrong) => {
    const probe = new Probe(1);
    const type = typeof wrong === 'number' ? RangeError : TypeError;
    expect(await rejection(select({ probe }, { cleanupTimeout: wrong as never }))).toBeInstanceOf(type);
    expect(probe.values).toEqual([1]);
  });
});

describe('a function that the select has given up on', () => {
  /** Lets a select give up on `work`, then lets that end, and returns the reported errors. */
  async function after(end: (token: CancellationToken) => unknown): Promise<unknown[]> {
    const clock = new VirtualClock();
    const gate = deferred();
    let token = cancelled(0);
    const deaf = async (given: CancellationToken): Promise<unknown> => {
      token = given;
      await gate.promise;
      return end(given);
    };
    const running = clock.run(() => select({ deaf, tick: turn() }, { cleanupTimeout: 5, clock }));
    expect(await rejection(running)).toBeInstanceOf(CleanupTimeoutError);
    expect([token.isCancelled, uncaught]).toEqual([true, []]);
    gate.resolve();
    await turn();
    return uncaught;
  }

  it('reports a later failure to the uncaught handler, with its name', async () => {
    const own = new Error('own');
    const [error] = (await after(() => Promise.reject(own))) as SelectError[];
    expect(error).toBeInstanceOf(SelectError);
    expect(error?.errors).toEqual([own]);
    expect(error?.message).toContain('branch "deaf" was given up after its cleanupTimeout, and then failed');
  });

  it('reports a later value there, so that no value is lost', async () => {
    const [error] = (await after(() => 'a connection')) as SelectError[];
    expect(error?.outcome).toEqual({ branch: 'deaf', value: 'a connection' });
    expect(error?.message).toContain('fulfilled');
  });

  it.each([
    ['ends with its cancellation', obeys],
    ['returns undefined', () => undefined],
  ])('reports nothing when it %s', async (_, end) => {
    expect(await after(end)).toEqual([]);
  });
});
