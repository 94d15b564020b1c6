import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Scope, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn } from './vocabulary.ts';

describe('a scope', () => {
  it('settles with the result of its body, promise or not', async () => {
    expect(await scope(() => 1)).toBe(1);
    expect(await scope(async () => 'two')).toBe('two');
    expect(await scope(() => undefined)).toBe(undefined);
  });

  it('calls its body synchronously', async () => {
    let called = false;
    const done = scope(() => {
      called = true;
    });
    expect(called).toBe(true);
    await done;
  });

  it('fails with the error of its body, verbatim, synchronously or not', async () => {
    const error = new Error('body');
    const throws = (): never => {
      throw error;
    };
    expect(await rejection(scope(throws))).toBe(error);
    expect(await rejection(scope(async () => throws()))).toBe(error);
    expect(await rejection(scope(() => Promise.reject('a string')))).toBe('a string');
    expect(await rejection(scope(() => Promise.reject(undefined)))).toBe(undefined);
  });

  it('settles when every task has ended, even if its body has returned long before', async () => {
    const clock = new VirtualClock();
    const ends: number[] = [];
    const value = await clock.run(() =>
      scope((s) => {
        for (const ms of [30, 10, 20]) s.spawn(() => sleep(ms, { clock }).then(() => ends.push(ms)));
        return 'body';
      }),
    );
    expect(value).toBe('body');
    expect(ends).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(30);
  });

  it('waits without limit for tasks that ignore their cancellation', async () => {
    const { work, fulfil } = deaf();
    let settled = false;
    const error = new Error('body');
    const done = scope((s) => {
      s.spawn(work);
      throw error;
    }).finally(() => {
      settled = true;
    });
    for (let i = 0; i < 10; i++) await turn();
    expect(settled).toBe(false);
    fulfil();
    expect(await rejection(done)).toBe(error);
  });

  it('has its given name, and none by default', async () => {
    expect(await scope((s) => s.name, { name: 'GET /page' })).toBe('GET /page');
    expect(await scope((s) => s.name)).toBe(undefined);
  });

  it('has a token of its own below the given signal, and its signal is that of the token', async () => {
    const outer = new CancellationToken();
    await scope(
      (s) => {
        expect(s.token).not.toBe(outer);
        expect(s.token.signal).toBe(s.signal);
        expect(s.signal.aborted).toBe(false);
      },
      { signal: outer },
    );
  });

  it('disposes its token at the end: a later cancellation above reaches no ended work', async () => {
    const outer = new CancellationToken();
    let heard = 0;
    const inside = await scope(
      (s) => {
        s.token.onCancelled(() => heard++);
        s.signal.addEventListener('abort', () => heard++);
        return { s, token: s.token };
      },
      { signal: outer },
    );
    outer.cancel('late');
    expect(heard).toBe(0);
    expect(inside.token.isCancelled).toBe(false);
    expect(inside.s.cancel()).toBe(false);
  });
});

describe('a scope throws for', () => {
  it('a body that is no function, by a rejection', async () => {
    const error = await rejection(scope('body' as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('scope: expected a function');
  });

  it('a wrong signal, before its body starts', async () => {
    let started = false;
    const body = (): void => {
      started = true;
    };
    expect(await rejection(scope(body, { signal: new AbortController() as never }))).toBeInstanceOf(TypeError);
    expect(started).toBe(false);
  });

  it.each(['spawn', 'defer'] as const)('%s without a function', async (call) => {
    await scope((s) => {
      expect(() => s[call](Promise.resolve() as never)).toThrow(TypeError);
      expect(() => s[call](undefined as never)).toThrow(`${call}: expected a function`);
    });
  });
});

describe('spawn', () => {
  it('calls the work synchronously, with a token of its own below the token of the scope', async () => {
    await scope((s) => {
      const tokens: CancellationToken[] = [];
      s.spawn((token) => tokens.push(token));
      s.spawn((token) => tokens.push(token));
      expect(tokens).toHaveLength(2);
      expect(new Set([...tokens, s.token]).size).toBe(3);
    });
  });

  it('turns a synchronous throw into a failure of the task, which has not ended during the call', async () => {
    const error = new Error('at once');
    let state: string | undefined;
    const done = scope((s) => {
      const task = s.spawn(() => {
        throw error;
      });
      state = task.status;
      expect(s.token.isCancelled).toBe(false);
    });
    expect(await rejection(done)).toBe(error);
    expect(state).toBe('running');
  });

  it('works after the body has returned, while a task runs, even from outside', async () => {
    const { work, fulfil } = deaf();
    const ended: string[] = [];
    let outside: Scope | undefined;
    const done = scope((s) => {
      outside = s;
      s.spawn(work).then(() => ended.push('first'));
    });
    await turn();
    outside?.spawn(() => turn().then(() => ended.push('second')));
    fulfil();
    await done;
    expect(ended.sort()).toEqual(['first', 'second']);
  });

  it('works in the last task of all: its child prolongs the scope', async () => {
    const ended: number[] = [];
    const work = (s: Scope, depth: number): void => {
      if (depth < 100) s.spawn(() => turn().then(() => work(s, depth + 1)));
      ended.push(depth);
    };
    await scope((s) => work(s, 0));
    expect(ended).toHaveLength(101);
  });

  it('works in a callback that the failure of the last task causes', async () => {
    const error = new Error('last');
    let ended = false;
    const done = scope((s) => {
      s.token.onCancelled(() => {
        s.spawn(() => turn().then(() => (ended = true)));
      });
      s.spawn(() => turn().then(() => Promise.reject(error)));
    });
    expect(await rejection(done)).toBe(error);
    expect(ended).toBe(true);
  });

  it('starts work with a cancelled token in a cancelled scope', async () => {
    const done = scope((s) => {
      s.cancel('stop');
      s.spawn((token) => {
        expect(token.isCancelled).toBe(true);
        expect(token.reason).toBe('stop');
      });
    });
    expect(await rejection(done)).toBe('stop');
  });

  it('throws in a cleanup and after the scope has settled', async () => {
    let outside: Scope | undefined;
    let inCleanup: unknown;
    await scope(
      (s) => {
        outside = s;
        s.defer(() => {
          try {
            s.spawn(() => {});
          } catch (error) {
            inCleanup = error;
          }
        });
      },
      { name: 'page' },
    );
    expect(inCleanup).toMatchObject({ name: 'ClosedError', code: 'ERR_CLOSED' });
    expect((inCleanup as Error).message).toContain('spawn: scope "page" has ended');
    let started = false;
    const late = (): void => {
      started = true;
    };
    expect(() => outside?.spawn(late)).toThrow(ClosedError);
    expect(() => outside?.defer(late)).toThrow(ClosedError);
    await turn();
    expect(started).toBe(false);
  });
});
