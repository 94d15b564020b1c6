import { inspect } from 'node:util';
import { CancellationToken, CancelledError, setUncaughtHandler, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { OnceCell } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { afterEach, describe, expect, it } from 'vitest';
import { isPending, now, rejection, runEventLoop } from './vocabulary.ts';

const uncaught: unknown[] = [];
const restore = setUncaughtHandler((error) => uncaught.push(error));
afterEach(() => {
  expect(uncaught.splice(0)).toEqual([]);
  setUncaughtHandler(restore);
});

/** A function that the test ends, and the tokens that it was called with. */
function attempt<T>() {
  const tokens: CancellationToken[] = [];
  let fulfil: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const init = (token: CancellationToken): Promise<T> => {
    tokens.push(token);
    return new Promise((resolve, reject) => {
      fulfil = resolve;
      fail = reject;
    });
  };
  return { init, tokens, fulfil: (value: T) => fulfil(value), fail: (error: unknown) => fail(error) };
}

describe('a cell', () => {
  it('is empty, and is set once', () => {
    const cell = new OnceCell<number>();
    expect([cell.isInitialized, cell.get()]).toEqual([false, undefined]);
    expect([cell.set(1), cell.set(2)]).toEqual([{ ok: true }, { ok: false, why: 'initialized' }]);
    expect([cell.isInitialized, cell.get()]).toEqual([true, 1]);
  });

  it('prints its state, and not its value', () => {
    expect(inspect(OnceCell.from('secret'))).toBe('OnceCell { isInitialized: true, isInitializing: false }');
  });

  it('can hold undefined', async () => {
    const cell = OnceCell.from(undefined);
    expect([cell.isInitialized, cell.set(undefined)]).toEqual([true, { ok: false, why: 'initialized' }]);
    expect(await cell.getOrInit(() => expect.unreachable())).toBeUndefined();
  });

  it('can be emptied, and set again', () => {
    const cell = OnceCell.from('a');
    expect([cell.take(), cell.take(), cell.isInitialized]).toEqual(['a', undefined, false]);
    expect(cell.set('b')).toEqual({ ok: true });
  });

  it('refuses a thenable, which no promise could carry', async () => {
    const cell = new OnceCell<unknown>();
    expect(() => cell.set(Promise.resolve(1))).toThrow(TypeError);
    expect(cell.isInitialized).toBe(false);
  });
});

describe('getOrInit', () => {
  it('makes the value once, for all callers', async () => {
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const values = [1, 2, 3].map(() => cell.getOrInit(first.init).then((value) => value));
    await runEventLoop();
    expect([first.tokens.length, cell.set(5)]).toEqual([1, { ok: false, why: 'initializing' }]);
    first.fulfil(7);
    expect(await Promise.all(values)).toEqual([7, 7, 7]);
    expect(await cell.getOrInit(() => expect.unreachable())).toBe(7);
  });

  it('starts nothing before something waits for it', async () => {
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const value = cell.getOrInit(first.init);
    await runEventLoop();
    expect(isPending(value)).toBe(true);
    expect(first.tokens).toEqual([]);
    expect(cell.set(5)).toEqual({ ok: true });
    expect(await value).toBe(5);
    expect(first.tokens).toEqual([]);
  });

  it('tries the next function when one fails, and fails only for its own caller', async () => {
    const cell = new OnceCell<number>();
    const log: string[] = [];
    const error = new Error('no connection');
    const failing = (name: string) => async (): Promise<number> => {
      log.push(name);
      throw error;
    };
    const values = [
      rejection(cell.getOrInit(failing('first'))),
      rejection(cell.getOrInit(failing('second'))),
      cell.getOrInit(() => 3),
    ];
    expect(await Promise.all(values)).toEqual([error, error, 3]);
    expect(log).toEqual(['first', 'second']);
  });

  it('treats a function that throws as one that rejects', async () => {
    const cell = new OnceCell<number>();
    const init = (): number => {
      throw new Error('at once');
    };
    expect(await rejection(cell.getOrInit(init))).toMatchObject({ message: 'at once' });
    expect(await cell.getOrInit(() => 2)).toBe(2);
  });

  it('starts nothing when it is given up while it waits for another function', async () => {
    const cell = new OnceCell<number>();
    const [first, second] = [attempt<number>(), attempt<number>()];
    const token = new CancellationToken();
    const value = now(cell.getOrInit(first.init));
    const given = rejection(cell.getOrInit(second.init, { signal: token }));
    await runEventLoop();
    token.cancel('enough');
    expect(await given).toBe('enough');
    first.fail('no');
    await value;
    expect(second.tokens).toEqual([]);
  });

  it('cancels the token of its function when it is given up, and the next one tries after that', async () => {
    const cell = new OnceCell<number>();
    const [first, second] = [attempt<number>(), attempt<number>()];
    const token = new CancellationToken();
    const given = rejection(cell.getOrInit(first.init, { signal: token }));
    const next = cell.getOrInit(second.init).then((value) => value);
    await runEventLoop();
    token.cancel('enough');
    expect(await given).toBe('enough');
    expect(first.tokens[0]?.reason).toBeInstanceOf(CancelledError);
    expect(second.tokens).toEqual([]);
    // It obeys late: one function at a time.
    first.fail(first.tokens[0]?.reason);
    await runEventLoop();
    second.fulfil(2);
    expect(await next).toBe(2);
  });

  it('keeps a value that arrives after its caller has given up', async () => {
    const clock = new VirtualClock();
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const given = rejection(cell.getOrInit(first.init, { timeout: 5, clock }));
    const next = cell.getOrInit(() => expect.unreachable()).then((value) => value);
    await runEventLoop();
    await clock.advance(5);
    expect(await given).toBeInstanceOf(TimeoutError);
    first.fulfil(1);
    expect(await next).toBe(1);
    expect(cell.get()).toBe(1);
  });

  it('does not end the process when a function fails after its caller has given up', async () => {
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const token = new CancellationToken();
    const given = rejection(cell.getOrInit(first.init, { signal: token }));
    await runEventLoop();
    token.cancel('enough');
    first.fail(new Error('ECONNREFUSED'));
    expect(await given).toBe('enough');
    expect(await cell.getOrInit(() => 2)).toBe(2);
  });

  it('is a branch of select that cancels its function when it loses', async () => {
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const stop = new CancellationToken();
    const lost = select({ value: cell.getOrInit(first.init), stop });
    await runEventLoop();
    stop.cancel('stop');
    expect((await lost).branch).toBe('stop');
    expect(first.tokens[0]?.isCancelled).toBe(true);
    first.fulfil(3);
    expect(await select({ value: cell.getOrInit(() => 4), stop: new CancellationToken() })).toMatchObject({ value: 3 });
  });

  it('can be awaited again after it was given up', async () => {
    const cell = new OnceCell<number>();
    const first = attempt<number>();
    const value = cell.getOrInit(first.init);
    const stop = new CancellationToken();
    const lost = select({ value, stop });
    await runEventLoop();
    stop.cancel();
    await lost;
    const again = now(value.then((value) => value));
    first.fail(first.tokens[0]?.reason);
    await again;
    expect(first.tokens).toHaveLength(2);
    first.fulfil(8);
    expect(await value).toBe(8);
  });

  it('keeps its answer, even when the cell is emptied', async () => {
    const cell = new OnceCell<number>();
    const value = cell.getOrInit(() => 1);
    expect([await value, cell.take(), await value, cell.isInitialized]).toEqual([1, 1, 1, false]);
  });

  it('refuses an invalid function, signal or time at the call', () => {
    const cell = new OnceCell<number>();
    expect(() => cell.getOrInit(5 as never)).toThrow('getOrInit: expected a function');
    expect(() => cell.getOrInit(() => 1, { signal: {} as never })).toThrow(TypeError);
    expect(() => cell.getOrInit(() => 1, { timeout: -1 })).toThrow(RangeError);
  });
});
