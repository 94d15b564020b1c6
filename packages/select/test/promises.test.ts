import { select } from '@quiesce/select';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection, thenable, turn } from './vocabulary.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown): unknown => unhandled.push(reason);

beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});

afterEach(async () => {
  await turn();
  process.off('unhandledRejection', note);
});

describe('a losing promise', () => {
  const error = new Error('later');

  it.each([
    ['to a ready source', () => cancelled(1)],
    ['to another promise', () => Promise.resolve(1)],
    ['to a failure', () => Promise.reject(new Error('first'))],
    ['to a function', () => () => 1],
  ])('that loses %s can reject later without an unhandled rejection', async (_, winner) => {
    const { promise, reject } = deferred();
    await select.biased({ winner: winner(), promise }).catch(() => {});
    await turn();
    reject(error);
    await turn();
    expect(unhandled).toEqual([]);
    expect(await rejection(promise)).toBe(error);
  });

  it('can reject later when a cancelled select was waiting for it, or was given it', async () => {
    const [before, during] = [deferred(), deferred()];
    await select({ promise: before.promise }, { signal: cancelled(1) }).catch(() => {});
    const { signal, abort } = controller();
    const outcome = select({ promise: during.promise }, { signal });
    abort();
    await outcome.catch(() => {});
    before.reject(error);
    during.reject(error);
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('can have rejected before', async () => {
    expect(await select({ promise: Promise.reject(error), ready: cancelled(1) })).toMatchObject({ branch: 'ready' });
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('is handled when two promises reject in one step', async () => {
    const first = new Error('first');
    const outcome = select.biased({ a: Promise.reject(first), b: Promise.reject(error) });
    expect(await rejection(outcome)).toBe(first);
    await turn();
    expect(unhandled).toEqual([]);
  });
});

describe('a select', () => {
  it('leaves no unhandled rejection when functions fail at once, late, or together', async () => {
    const fails = async (): Promise<never> => Promise.reject(new Error('rejects'));
    const throws = (): never => {
      throw new Error('throws');
    };
    await rejection(select({ fails, throws, never: never() }));
    await rejection(select.biased({ throws, fails }));
    await rejection(select({ a: fails, b: fails, c: async () => turn().then(fails) }));
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('the test notes a promise that has no handler', async () => {
    const error = new Error('on purpose');
    // Vitest would count it as an error of the run.
    const others = process.listeners('unhandledRejection').filter((listener) => listener !== note);
    for (const other of others) process.off('unhandledRejection', other);
    void Promise.reject(error);
    // Web Workers report after several rounds of the event loop.
    for (let turns = 0; turns < 100 && unhandled.length === 0; turns++) await turn();
    for (const other of others) process.on('unhandledRejection', other);
    expect(unhandled).toEqual([error]);
  });
});

describe('a promise that has lost before', () => {
  it.each([
    ['a ready source', () => cancelled(1)],
    ['a later source', () => turn()],
  ])('to %s is ready at once if it has settled since, before any function is started', async (_, make) => {
    const { promise, resolve } = deferred<string>();
    await select({ promise, rival: make() });
    resolve('known');
    await turn();
    let started = false;
    const work = () => (started = true);
    const probe = new Probe<number>();
    expect(await select.biased({ work, promise, probe })).toEqual({ branch: 'promise', value: 'known' });
    expect([started, probe.parks]).toEqual([false, 0]);
  });

  it('is ready at once with its error, in each later select', async () => {
    const error = new Error('known');
    const { promise, reject } = deferred();
    await select({ promise, ready: cancelled(1) });
    reject(error);
    await turn();
    for (let i = 0; i < 3; i++) {
      let started = false;
      const work = () => (started = true);
      expect(await rejection(select({ work, promise }))).toBe(error);
      expect(started).toBe(false);
    }
  });

  it('wakes all selects that wait for it, in order', async () => {
    const { promise, resolve } = deferred<number>();
    await select({ promise, ready: cancelled(1) });
    const order: number[] = [];
    const all = [0, 1, 2].map((i) => select({ promise, waits: never() }).finally(() => order.push(i)));
    resolve(7);
    expect(await Promise.all(all)).toEqual([0, 1, 2].map(() => ({ branch: 'promise', value: 7 })));
    expect(order).toEqual([0, 1, 2]);
  });

  it('can be a thenable, whose `then` is called once for any number of selects', async () => {
    let asked = 0;
    let resolve: (n: number) => void = () => {};
    const like = thenable<number>((onValue: (n: number) => void) => {
      asked++;
      resolve = onValue;
    });
    for (let i = 0; i < 10; i++) await select({ like, ready: cancelled(i) });
    for (let i = 0; i < 10; i++) await select({ like, other: turn() });
    resolve(3);
    await turn();
    expect(await select({ like })).toEqual({ branch: 'like', value: 3 });
    expect(asked).toBe(1);
  });
});

describe('one promise', () => {
  it('can be in two branches, of which the first in order wins', async () => {
    const { promise, resolve } = deferred<number>();
    const outcome = select.biased({ a: promise, b: promise });
    resolve(1);
    expect(await outcome).toEqual({ branch: 'a', value: 1 });
    expect(await select.biased({ b: promise, a: promise })).toEqual({ branch: 'b', value: 1 });
  });

  it('can win in many selects at the same time', async () => {
    const { promise, resolve } = deferred<number>();
    const all = Array.from({ length: 100 }, () => select({ promise, waits: never() }));
    resolve(1);
    for (const outcome of await Promise.all(all)) expect(outcome).toEqual({ branch: 'promise', value: 1 });
  });

  it('can be in the same select as the function that returns it', async () => {
    const { promise, resolve } = deferred<number>();
    const outcome = select.biased({ promise, work: () => promise });
    resolve(1);
    expect(await outcome).toMatchObject({ branch: 'promise', value: 1, late: [{ branch: 'work', value: 1 }] });
  });
});

function controller() {
  const made = new AbortController();
  return { signal: made.signal, abort: () => made.abort() };
}
