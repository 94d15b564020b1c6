import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, ScopeError, scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { failing, obedient, rejection, turn, unhandledIn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');

describe('map', () => {
  it('returns the results in the order of the items, however long each takes', async () => {
    const clock = new VirtualClock();
    const work = (ms: number, token: CancellationToken, index: number): Promise<string> =>
      sleep(ms, { clock }).then(() => `${index}: ${ms} ${token.isCancelled}`);
    expect(await clock.run(() => scope((s) => s.map([30, 10, 20], work)))).toEqual([
      '0: 30 false',
      '1: 10 false',
      '2: 20 false',
    ]);
    expect(clock.now()).toBe(30);
    expect(await scope((s) => s.map([], work))).toEqual([]);
  });

  it('runs at most `concurrency` items at once, and takes an item only when there is room', async () => {
    const clock = new VirtualClock();
    let running = 0;
    let most = 0;
    let taken = 0;
    function* items(): Generator<number> {
      for (let i = 0; i < 10; i++) {
        taken++;
        expect(taken - running).toBeGreaterThan(0);
        yield i;
      }
    }
    const results = await clock.run(() =>
      scope((s) =>
        s.map(
          items(),
          async (item) => {
            most = Math.max(most, ++running);
            await sleep(10 - item, { clock });
            running--;
            return item * 2;
          },
          { concurrency: 3 },
        ),
      ),
    );
    expect(results).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(most).toBe(3);
  });

  it('starts no item after the first failure, cancels and awaits the running ones, and closes the iterator', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    function* items(): Generator<number> {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        log.push('iterator closed');
      }
    }
    const done = clock.run(() =>
      scope((s) =>
        s.map(
          items(),
          async (item, token) => {
            log.push(`start ${item}`);
            if (item === 1) return failing(clock, 5, a)();
            return obedient(clock, 10, () => log.push(`stopped ${item} at ${clock.now()}`))(token);
          },
          { concurrency: 3 },
        ),
      ),
    );
    expect(await rejection(done)).toBe(a);
    expect(log).toEqual(['start 0', 'start 1', 'start 2', 'stopped 0 at 15', 'stopped 2 at 15', 'iterator closed']);
  });

  it('leaves its failure to the code that awaits it, and otherwise to the scope', async () => {
    expect(await scope((s) => s.map([1], () => Promise.reject(a)).catch(() => 'handled'))).toBe('handled');
    expect(await rejection(scope((s) => void s.map([1], () => Promise.reject(a))))).toBe(a);
  });

  it('never returns partial results: when cancelled, it rejects with the reason', async () => {
    const clock = new VirtualClock();
    const done = clock.run(() =>
      scope(async (s) => {
        const task = s.map([1, 2, 3], (item) => sleep(item, { clock }).then(() => item), { concurrency: 1 });
        await sleep(2, { clock });
        task.cancel('enough');
        return task.settled();
      }),
    );
    expect(await done).toEqual({ status: 'cancelled', reason: 'enough' });
  });

  it('fails with the error of its iterator', async () => {
    function* items(): Generator<number> {
      yield 1;
      throw b;
    }
    expect(await rejection(scope((s) => s.map(items(), (i) => i, { concurrency: 1 })))).toBe(b);
  });

  it('does not close an iterator that has thrown, since it has ended', async () => {
    let asked = 0;
    const iterator = {
      next: (): never => {
        throw b;
      },
      return: () => ({ done: true as const, value: ++asked }),
    };
    const items = { [Symbol.iterator]: () => iterator };
    expect(await rejection(scope((s) => s.map(items, (i) => i)))).toBe(b);
    expect(asked).toBe(0);
  });

  it('throws for wrong arguments at the call', async () => {
    await scope((s) => {
      for (const concurrency of [0, -1, 1.5, Number.NaN]) {
        expect(() => s.map([1], () => {}, { concurrency })).toThrow(RangeError);
      }
      expect(() => s.map([1], () => {}, { concurrency: '2' as never })).toThrow(TypeError);
      expect(() => s.map(5 as never, () => {})).toThrow('map: expected a list, got the number 5');
      expect(() => s.map([1], 5 as never)).toThrow(TypeError);
    });
  });
});

describe('race', () => {
  it('returns the first to settle; the others are cancelled and awaited before', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const value = await clock.run(() =>
      scope((s) =>
        s.race([
          obedient(clock, 10, () => log.push(`loser stopped at ${clock.now()}`)),
          () => sleep(5, { clock }).then(() => 'fast'),
        ]),
      ),
    );
    expect(value).toBe('fast');
    expect(log).toEqual(['loser stopped at 15']);
    expect(clock.now()).toBe(15);
  });

  it('can be decided by a failure, too', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => s.race([obedient(clock), failing(clock, 5, a)]));
    expect(await rejection(clock.run(() => done))).toBe(a);
  });

  it('rejects with an error of a loser other than its cancellation: that error is not lost', async () => {
    const clock = new VirtualClock();
    const loser = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw b;
    };
    expect(await rejection(clock.run(() => scope((s) => s.race([loser, async () => 'fast']))))).toBe(b);
  });

  it('returns the first one when a loser still fulfils', async () => {
    const late = async (token: CancellationToken): Promise<string> => {
      await token.cancelled();
      return 'late';
    };
    expect(await scope((s) => s.race([late, async () => 'first']))).toBe('first');
  });

  it('rejects with the reason when it is cancelled before a function has settled', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      const racing = s.race([obedient(clock), obedient(clock)]);
      racing.cancel('stop');
      return racing.settled();
    });
    expect(await done).toEqual({ status: 'cancelled', reason: 'stop' });
  });

  it('returns the value of a function that still fulfils after a cancellation, even if others obey first', async () => {
    const clock = new VirtualClock();
    const deaf = (): Promise<string> => sleep(10, { clock }).then(() => 'value');
    const outcome = await clock.run(() =>
      scope((s) => {
        const race = s.race([obedient(clock), deaf]);
        race.cancel('outside');
        return race.settled();
      }),
    );
    expect(outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  it('throws for an empty list, which would never end', async () => {
    await scope((s) => {
      expect(() => s.race([])).toThrow(RangeError);
      expect(() => s.any([])).toThrow('any: there is nothing to run');
      expect(() => s.race([() => 1, 2 as never])).toThrow(TypeError);
    });
  });
});

describe('any', () => {
  it('returns the first to fulfil, whatever failed before', async () => {
    const clock = new VirtualClock();
    const value = await clock.run(() =>
      scope((s) => s.any([failing(clock, 1, a), () => sleep(5, { clock }).then(() => 'second'), obedient(clock, 2)])),
    );
    expect(value).toBe('second');
  });

  it('fails with all failures when no function fulfils, in order of failure', async () => {
    const clock = new VirtualClock();
    const done = clock.run(() => scope((s) => s.any([failing(clock, 5, a), failing(clock, 1, b)])));
    const error = await rejection(done);
    expect(error).toBeInstanceOf(ScopeError);
    expect((error as ScopeError).errors).toEqual([b, a]);
  });

  it('treats a foreign AbortError as a failure, and its own cancellation as none', async () => {
    const foreign = new DOMException('not ours', 'AbortError');
    const error = await rejection(scope((s) => s.any([() => Promise.reject(foreign)])));
    expect((error as ScopeError).errors).toEqual([foreign]);
    const outer = new CancellationToken();
    const done = scope(
      async (s) => {
        const task = s.any([obedient(new VirtualClock())]);
        outer.cancel('stop');
        return task;
      },
      { signal: outer },
    );
    expect(await rejection(done)).toBe('stop');
  });
});

describe('map, race and any', () => {
  it('return tasks, which are branches of a select, and are cancelled with their scope', async () => {
    const clock = new VirtualClock();
    const reasons: unknown[] = [];
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      reasons.push(token.reason);
      throw token.reason;
    };
    await clock.run(() =>
      scope(async (s) => {
        const racing = s.race([work]);
        const outcome = await select({ racing, tick: sleep(5, { clock }) });
        expect(outcome.branch).toBe('tick');
        racing.cancel();
        await racing.settled();
      }),
    );
    expect(reasons).toHaveLength(1);
    expect(isCancelledError(reasons[0])).toBe(true);
  });

  it('leave no unhandled rejection, however they end', async () => {
    const unhandled = await unhandledIn(async () => {
      for (const fails of [true, false]) {
        await scope((s) => {
          void s.map([1, 2], () => Promise.reject(a)).settled();
          void s.race([() => Promise.reject(a), () => Promise.reject(b)]).settled();
          void s.any([() => Promise.reject(a)]);
          if (fails) throw b;
        }).catch(() => {});
      }
    });
    expect(unhandled).toEqual([]);
  });
});

describe('an item or a function that cancels itself', () => {
  const selfish = async (token: CancellationToken): Promise<never> => {
    token.cancel('mine');
    throw token.reason;
  };

  it('ends a map with its reason, and the other items are cancelled', async () => {
    const clock = new VirtualClock();
    let isCleanedUp = false;
    const other = obedient(clock, 5, () => {
      isCleanedUp = true;
    });
    const thrown = await rejection(
      clock.run(() => scope((s) => s.map([0, 1], (item, token) => (item === 1 ? selfish(token) : other(token))))),
    );
    expect([thrown, isCleanedUp]).toEqual(['mine', true]);
  });

  it('ends a map with its reason, verbatim, even if another item obeys with an error of its own', async () => {
    const wrapping = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw new DOMException('stopped', 'AbortError');
    };
    const both = (item: number, token: CancellationToken): Promise<never> =>
      item === 0 ? selfish(token) : wrapping(token);
    expect(await rejection(scope((s) => s.map([0, 1], both)))).toBe('mine');
  });

  it('gives precedence to a cancellation from outside while the others clean up', async () => {
    const clock = new VirtualClock();
    const outcome = await clock.run(() =>
      scope(async (s) => {
        const race = s.race([selfish, obedient(clock, 10)]);
        await sleep(5, { clock });
        race.cancel('outside');
        return race.settled();
      }),
    );
    expect(outcome).toEqual({ status: 'cancelled', reason: 'outside' });
  });

  it('decides a race, and a loser that fulfils after its cancellation does not win', async () => {
    const loser = async (token: CancellationToken): Promise<string> => {
      await token.cancelled();
      return 'loser';
    };
    expect(await rejection(scope((s) => s.race([selfish, loser])))).toBe('mine');
    expect(await rejection(scope((s) => s.race([loser, selfish])))).toBe('mine');
    const atOnce = (token: CancellationToken): Promise<string> =>
      new Promise((resolve) => token.onCancelled(() => resolve('loser')));
    expect(await rejection(scope((s) => s.race([atOnce, selfish])))).toBe('mine');
  });

  it('drops out of an any, which the others can win; alone, it gives its reason', async () => {
    expect(await scope((s) => s.any([selfish, () => turn().then(() => 'second')]))).toBe('second');
    expect(await rejection(scope((s) => s.any([selfish, selfish])))).toBe('mine');
  });
});

describe('a map over items that are ready', () => {
  it('lets a macrotask run, which can cancel it', async () => {
    function* forever(): Generator<number> {
      for (let i = 0; i < 200_000; i++) yield i;
    }
    const outer = new CancellationToken();
    setImmediate(() => outer.cancel('enough'));
    let count = 0;
    const work = async (): Promise<number> => count++;
    const done = scope((s) => s.map(forever(), work, { concurrency: 2 }), { signal: outer });
    expect(await rejection(done)).toBe('enough');
    expect(count).toBeLessThan(200_000);
  });
});

describe('the failures of an any', () => {
  it('count once when they are the same, and the message has the right number', async () => {
    const fails = () => Promise.reject(a);
    const one = (await rejection(scope((s) => s.any([fails, fails])))) as ScopeError;
    expect(one.errors).toEqual([a]);
    expect(one.message).toMatch(/^One failure in a scope; /);
    const two = (await rejection(scope((s) => s.any([fails, () => Promise.reject(b)])))) as ScopeError;
    expect(two.errors).toEqual([a, b]);
    expect(two.message).toMatch(/^2 failures in a scope; /);
  });
});

describe('map, race and any after their scope has settled', () => {
  it('throw a ClosedError, and start nothing', async () => {
    const s = new Scope();
    await s.join();
    let isStarted = false;
    const work = (): void => {
      isStarted = true;
    };
    for (const call of [() => s.map([1], work), () => s.race([work]), () => s.any([work])]) {
      expect(call).toThrow(expect.objectContaining({ name: 'ClosedError' }));
    }
    expect(isStarted).toBe(false);
  });
});
