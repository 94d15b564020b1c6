import { broadcast } from '@quiesce/broadcast-channel';
import {
  CancellationToken,
  PENDING,
  type Source,
  setUncaughtHandler,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { branchOf, match, type SelectError, select, selectEach, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, rejection, turn } from './vocabulary.ts';

const unreadable = {
  get name(): string {
    throw new Error('this error cannot be read');
  },
};

/** A source whose methods can run any code. */
function scripted(acts: { poll?: () => unknown; park?: () => void }): Source<unknown> {
  return { [source]: { poll: acts.poll ?? (() => PENDING), park: acts.park ?? (() => {}), unpark: () => {} } };
}

describe('a poll that wakes the same select', () => {
  it('does not make a cancelled select cancel itself twice', async () => {
    const controller = new AbortController();
    const [tx, rx] = broadcast<string>(4);
    controller.signal.addEventListener('abort', () => tx.send('bye'));
    const outcome = select(
      { msg: rx, work: (token) => token.cancelled() },
      { signal: controller.signal, random: () => 0 },
    );
    controller.abort('stop');
    expect(await rejection(outcome)).toBe('stop');
  });

  it('loses no value: other values stay in their sources', async () => {
    for (let i = 0; i < 200; i++) {
      const controller = new AbortController();
      const [tx, rx] = broadcast<string>(4);
      controller.signal.addEventListener('abort', () => tx.send('bye'));
      const outcome = select({ msg: rx, stop: controller.signal, work: (token) => token.cancelled() });
      controller.abort('stop');
      const { branch } = await outcome;
      expect([branch, rx.tryRecv().ok]).toEqual(branch === 'msg' ? ['msg', false] : ['stop', true]);
    }
  });

  it('causes another pass, which sees the branches that became ready', async () => {
    const token = new CancellationToken();
    let polls = 0;
    const waiters = new Set<Waiter>();
    const meddler: Source<never> = {
      [source]: {
        poll: () => {
          if (++polls === 3) token.cancel('by a poll');
          return PENDING;
        },
        park: (waiter) => void waiters.add(waiter),
        unpark: (waiter) => void waiters.delete(waiter),
      },
    };
    const outcome = select.biased({ token, meddler });
    for (const waiter of [...waiters]) waiter.wake();
    expect(await outcome).toEqual({ branch: 'token', value: 'by a poll' });
  });
});

describe('a source with side effects in poll or park', () => {
  it('can make an earlier branch ready', async () => {
    const [tx, rx] = broadcast<string>(4);
    const token = new CancellationToken();
    const outcome = select({ lazy: scripted({ park: () => void tx.send('started') }), rx });
    expect(await outcome).toEqual({ branch: 'rx', value: 'started' });
    const poll = (): typeof PENDING => {
      token.cancel('x');
      return PENDING;
    };
    const other = select.biased({ token, meddler: scripted({ poll }) });
    expect(await other).toEqual({ branch: 'token', value: 'x' });
  });

  it('fails its branch when its park throws, and no waiter stays parked on the others', async () => {
    const [tx, rx] = broadcast<string>(4);
    const broken = new Error('no room');
    const bad = scripted({
      park: () => {
        throw broken;
      },
    });
    expect(await rejection(select({ rx, bad }))).toBe(broken);
    expect(branchOf(broken)).toBe('bad');
    tx.send('still here');
    expect(rx.tryRecv()).toEqual({ ok: true, value: 'still here' });
  });
});

describe('a function whose result or error cannot be read', () => {
  it('fails with the error of its `then`, and the others are cancelled and awaited', async () => {
    const log: string[] = [];
    const outcome = select({
      first: async (token) => {
        await token.cancelled();
        log.push('first ended');
      },
      second: () => ({
        // biome-ignore lint/suspicious/noThenProperty: what this test is about
        get then(): never {
          throw new Error('then');
        },
      }),
    });
    expect(await rejection(outcome)).toEqual(new Error('then'));
    expect(log).toEqual(['first ended']);
  });

  it('has an error of its own as a loser', async () => {
    const outcome = select({
      won: Promise.resolve(1),
      lost: async (token) => {
        await token.cancelled();
        throw unreadable;
      },
    });
    const error = (await rejection(outcome)) as SelectError;
    expect(error.errors[0] === unreadable).toBe(true);
    expect(error.outcome).toEqual({ branch: 'won', value: 1 });
  });
});

describe('a select whose token is disposed', () => {
  it('keeps waiting for the parent of that token', async () => {
    const parent = new CancellationToken();
    const child = parent.childToken();
    const outcome = select({ never: new CancellationToken() }, { signal: child });
    child.dispose();
    parent.cancel('the parent');
    expect(await rejection(outcome)).toBe('the parent');
  });
});

describe('else', () => {
  it('is awaited', async () => {
    expect(await select({ off: false, else: async () => 5 })).toEqual({ branch: 'else', value: 5 });
    expect(await rejection(select({ off: null, else: () => Promise.reject(new Error('else')) }))).toEqual(
      new Error('else'),
    );
  });

  it('throws when it is no function, even beside a branch that is on', async () => {
    expect(await rejection(select({ on: cancelled(1), else: 5 } as never))).toBeInstanceOf(TypeError);
  });
});

describe('a wrong argument', () => {
  it('leaves no promise beside it as an unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listener);
    const work = deferred<never>();
    await rejection(select({ work: work.promise, wrong: 5 as never }));
    work.reject(new Error('later'));
    await turn();
    await turn();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });
});

describe('branchOf', () => {
  it('returns undefined after a later select rejects with the same object as its own reason', async () => {
    const error = new Error('shared');
    await rejection(select({ disk: Promise.reject(error) }));
    expect(branchOf(error)).toBe('disk');
    await rejection(select({ never: new CancellationToken() }, { signal: cancelled(error) }));
    expect(branchOf(error)).toBeUndefined();
  });
});

describe('a source that is callable', () => {
  it('is a source, not a function', async () => {
    const callable = Object.assign(() => 'called', { [source]: cancelled('polled')[source] });
    expect(await now(select({ callable }))).toEqual({ branch: 'callable', value: 'polled' });
  });
});

describe('a source whose unpark throws', () => {
  it('keeps no other waiter parked, and its error is reported as uncaught', async () => {
    const uncaught: unknown[] = [];
    setUncaughtHandler((error) => uncaught.push(error));
    const broken = new Error('stuck');
    const throws = (): never => {
      throw broken;
    };
    const stuck: Source<never> = { [source]: { poll: () => PENDING, park: () => {}, unpark: throws } };
    const [tx, rx] = broadcast<number>(4);
    const outcome = select({ stuck, rx, last: rx });
    tx.send(1);
    expect(await outcome).toMatchObject({ value: 1 });
    await turn();
    setUncaughtHandler(undefined);
    expect(uncaught).toEqual([broken]);
    tx.send(2);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 2 });
  });
});

describe('branches whose properties throw', () => {
  const revoked = (): never => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy as never;
  };
  const throwing = Object.defineProperty({}, 'a', {
    enumerable: true,
    get: () => {
      throw new RangeError('getter');
    },
  });

  it('make select reject, and not throw', async () => {
    expect(await rejection(select({ a: revoked(), b: Promise.reject(new Error('handled')) }))).toBeInstanceOf(
      TypeError,
    );
    expect(await rejection(select(throwing))).toEqual(new RangeError('getter'));
    expect(await rejection(select({}, null as never))).toBeInstanceOf(TypeError);
    expect(await rejection(select(revoked()))).toBeInstanceOf(TypeError);
  });

  it('make the synchronous calls throw', () => {
    expect(() => trySelect({ a: revoked() })).toThrow(TypeError);
    expect(() => selectEach({ a: revoked() })).toThrow(TypeError);
    expect(() => selectEach(throwing)).toThrow('getter');
  });

  it('can include an object that only looks like a promise', async () => {
    const fake = Object.create(Promise.prototype) as Promise<never>;
    expect(await rejection(select({ fake }))).toBeInstanceOf(TypeError);
    expect(await rejection(select({ work: () => fake }))).toBeInstanceOf(TypeError);
  });
});

describe('a native promise with its own `then`', () => {
  it('can call back synchronously, and twice', async () => {
    const odd = Promise.resolve(0);
    void Object.defineProperty(odd, 'then', {
      value: (resolve: (n: number) => void, reject: (error: unknown) => void) => {
        resolve(1);
        reject(new Error('and now?'));
      },
    });
    expect(await now(select({ odd, waits: new CancellationToken() }))).toEqual({ branch: 'odd', value: 1 });
  });
});

describe('leaving a loop from a poll', () => {
  it('that gives a value delivers it, and then ends the loop', async () => {
    const values = [1, 2];
    const leaving: Source<number> = {
      [source]: {
        poll: () => {
          if (values.length === 1) void loop.return();
          return values.shift() ?? PENDING;
        },
        park: () => {},
        unpark: () => {},
      },
    };
    const loop: AsyncGenerator<unknown, void> = selectEach({ leaving });
    expect(await loop.next()).toMatchObject({ value: { value: 1 } });
    expect(await loop.next()).toMatchObject({ value: { value: 2 } });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  it('that gives no value ends the loop', async () => {
    let polls = 0;
    const leaving: Source<number> = {
      [source]: {
        poll: () => {
          if (++polls === 1) void loop.return();
          return PENDING;
        },
        park: () => {},
        unpark: () => {},
      },
    };
    const loop: AsyncGenerator<unknown, void> = selectEach({ leaving, waits: new CancellationToken() });
    expect(await now(loop.next())).toEqual({ done: true, value: undefined });
  });
});

describe('a guard with side effects', () => {
  it('can cancel its own select, and the value that fits still wins', async () => {
    const stop = new CancellationToken();
    const [tx, rx] = broadcast<number>(4);
    const outcome = select(
      { rx: match(rx, () => stop.cancel('guard')), waits: new CancellationToken() },
      { signal: stop },
    );
    tx.send(1);
    expect(await outcome).toEqual({ branch: 'rx', value: 1 });
  });

  it('can take from the same source, and no value is delivered twice', async () => {
    const [tx, rx] = broadcast<number>(8);
    for (const n of [1, 2, 3]) tx.send(n);
    const taken: unknown[] = [];
    const greedy = (n: number): boolean => {
      const next = trySelect({ rx });
      return taken.push(n, next.ok && next.value) > 4;
    };
    expect(await select({ rx: match(rx, greedy), else: () => 'off' })).toEqual({ branch: 'else', value: 'off' });
    expect([taken, rx.tryRecv()]).toEqual([[1, 2], { ok: true, value: 3 }]);
  });
});

// A spread, or a recursion over the branches, overflows the stack from about ten thousand branches on.
it('a select handles a hundred thousand branches, and ten thousand losing functions', async () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`b${i}`, false as const]));
  const losers = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [
      `f${i}`,
      (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason)),
    ]),
  );
  expect(await select({ ...many, ...losers, tick: turn() })).toEqual({ branch: 'tick', value: undefined });
});
