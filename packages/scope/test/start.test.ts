import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { obedient, rejection, turn, unhandledIn } from './vocabulary.ts';

const error = new Error('port in use');

describe('start', () => {
  it('returns the task and the value once the work is ready, and the task keeps running', async () => {
    const clock = new VirtualClock();
    await clock.run(() =>
      scope(async (s) => {
        const { task, value } = await s.start(async (_, ready: (port: number) => void) => {
          await sleep(5, { clock });
          ready(8080);
          await sleep(5, { clock });
          return 'closed';
        });
        expect([value, task.status, clock.now()]).toEqual([8080, 'running', 5]);
        expect(await task).toBe('closed');
      }),
    );
  });

  it('accepts a call of ready during the call of start', async () => {
    await scope(async (s) => {
      const { value } = await s.start((_, ready: (text: string) => void) => ready('at once'));
      expect(value).toBe('at once');
    });
  });

  it('returns a thenable value unchanged', async () => {
    const thenable = Promise.resolve(1);
    await scope(async (s) => {
      const { value } = await s.start((_, ready: (value: Promise<number>) => void) => ready(thenable));
      expect(value).toBe(thenable);
    });
  });

  it('rejects with the failure of work that was not ready, which is also the scope’s failure', async () => {
    let seen: unknown;
    const done = scope(async (s) => {
      seen = await rejection(s.start(() => Promise.reject(error)));
    });
    expect(await rejection(done)).toBe(error);
    expect(seen).toBe(error);
  });

  it('leaves that failure to its caller when it is isolated, as trio does', async () => {
    const value = await scope(async (s) => {
      const start = s.start(() => Promise.reject(error), { onFailure: 'isolate' });
      return start.catch(() => 'another port');
    });
    expect(value).toBe('another port');
  });

  it('leaves an isolated failure after readiness to the code that awaits the task', async () => {
    const done = scope(async (s) => {
      await s.start(
        (_, ready: (value: void) => void) => {
          ready();
          throw error;
        },
        { onFailure: 'isolate' },
      );
    });
    expect(await rejection(done)).toBe(error);
  });

  it('leaves it also when the work was ready after the call had returned', async () => {
    const work = async (_: unknown, ready: (value: void) => void): Promise<never> => {
      await turn();
      ready();
      await turn();
      throw error;
    };
    expect(await rejection(scope(async (s) => void (await s.start(work, { onFailure: 'isolate' }))))).toBe(error);
  });

  it('causes an unhandled rejection when an isolated failure before readiness is not handled', async () => {
    const unhandled = await unhandledIn(() =>
      scope((s) => void s.start(() => Promise.reject(error), { onFailure: 'isolate' })),
    );
    expect(unhandled).toEqual([error]);
  });

  it('rejects when the work ends without being ready, and that alone fails nothing', async () => {
    await scope(async (s) => {
      const refused = await rejection(s.start(async () => 'done', { name: 'server' }));
      expect(refused).toMatchObject({
        name: 'ClosedError',
        message: 'start: task "server" ended without calling ready(value)',
      });
    });
  });

  it('rejects with the reason when it is cancelled before it is ready', async () => {
    const clock = new VirtualClock();
    const done = scope(async (s) => {
      const starting = s.start(obedient(clock));
      s.cancel('stop');
      expect(await rejection(starting)).toBe('stop');
    });
    expect(await rejection(done)).toBe('stop');
  });

  it('throws for a second call of ready, and ignores a call that comes too late', async () => {
    let late = (_: number): void => {};
    await scope(async (s) => {
      const { task } = await s.start(async (_, ready: (n: number) => void) => {
        ready(1);
        expect(() => ready(2)).toThrow('the task has called it before');
      });
      await task;
      await rejection(
        s.start((_, ready: (n: number) => void) => {
          late = ready;
        }),
      );
      late(3);
    });
  });

  it('rejects for a value that is no function, and in a scope that has ended', async () => {
    await scope(async (s) => {
      expect(await rejection(s.start(1 as never))).toBeInstanceOf(TypeError);
      s.defer(async () => expect(await rejection(s.start(() => {}))).toMatchObject({ code: 'ERR_CLOSED' }));
    });
  });

  it('causes no unhandled rejection when its scope has the error, or when there is no error', async () => {
    const unhandled = await unhandledIn(async () => {
      await rejection(scope((s) => void s.start(() => Promise.reject(error))));
      await rejection(
        scope(async (s) => {
          void s.start(obedient(new VirtualClock()), { onFailure: 'isolate' });
          void s.start(async (token) => void (await token.cancelled()));
          throw error;
        }),
      );
    });
    expect(unhandled).toEqual([]);
  });
});
