import { getEventListeners } from 'node:events';
import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Scope, scope, type Task } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it, vi } from 'vitest';
import { deaf, obedient, rejection, turn } from './vocabulary.ts';

describe('a scope whose signal is cancelled', () => {
  it.each([
    ['a token', cancelledToken('why')],
    ['an AbortSignal', AbortSignal.abort('why')],
  ])('before it starts does not call its body, and rejects with the reason: %s', async (_, signal) => {
    let started = false;
    const body = (): void => {
      started = true;
    };
    expect(await rejection(scope(body, { signal }))).toBe('why');
    expect(started).toBe(false);
  });

  it('while its body runs cancels the body and all tasks, and rejects with the reason, verbatim', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const reason = { deploy: true };
    const cleanedUp: number[] = [];
    const done = clock.run(() =>
      scope(
        async (s) => {
          s.spawn(obedient(clock, 20, () => cleanedUp.push(clock.now())));
          void sleep(5, { clock }).then(() => controller.abort(reason));
          await obedient(clock, 10, () => cleanedUp.push(clock.now()))(s.token);
        },
        { signal: controller.signal },
      ),
    );
    expect(await rejection(done)).toBe(reason);
    expect(cleanedUp).toEqual([15, 25]);
  });

  it('while its body runs rejects even if the body ignores it and returns', async () => {
    const outer = new CancellationToken();
    const done = scope(
      async () => {
        outer.cancel('stop');
        return 'a value';
      },
      { signal: outer },
    );
    expect(await rejection(done)).toBe('stop');
  });

  it('after its body has fulfilled cancels and awaits the tasks, and returns the value', async () => {
    const clock = new VirtualClock();
    const outer = new CancellationToken();
    let cleanedUp = false;
    const done = clock.run(() =>
      scope(
        (s) => {
          s.spawn(obedient(clock, 20, () => (cleanedUp = true)));
          void sleep(5, { clock }).then(() => outer.cancel());
          return 'the page';
        },
        { signal: outer },
      ),
    );
    expect(await done).toBe('the page');
    expect(cleanedUp).toBe(true);
    expect(clock.now()).toBe(25);
  });

  it('after its body has fulfilled still fails when a task does', async () => {
    const outer = new CancellationToken();
    const error = new Error('while cleaning up');
    const done = scope(
      (s) => {
        s.spawn(async (token) => {
          await token.cancelled();
          throw error;
        });
      },
      { signal: outer },
    );
    await turn();
    outer.cancel();
    expect(await rejection(done)).toBe(error);
  });

  it('rejects with failures rather than with the reason', async () => {
    const outer = new CancellationToken();
    const error = new Error('own');
    const done = scope(
      async (s) => {
        outer.cancel('stop');
        s.token.throwIfCancelled();
      },
      { signal: outer },
    );
    expect(await rejection(done)).toBe('stop');
    const failed = scope(() => Promise.reject(error), { signal: new CancellationToken() });
    expect(await rejection(failed)).toBe(error);
  });

  it('never cancels its parents: neither a failure nor cancel reaches the given signal', async () => {
    const outer = new CancellationToken();
    await rejection(scope(() => Promise.reject(new Error('x')), { signal: outer }));
    await rejection(scope((s) => s.cancel(), { signal: outer }));
    expect(outer.isCancelled).toBe(false);
  });

  it('leaves no listener on a foreign signal when it has ended', async () => {
    const { signal } = new AbortController();
    let during = -1;
    await scope(
      async (s) => {
        s.spawn(({ signal }) => void signal.addEventListener('abort', () => {}));
        during = getEventListeners(signal, 'abort').length;
        await turn();
      },
      { signal },
    );
    expect(during).toBe(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('cancel of a scope', () => {
  it('cancels body and tasks with a CancelledError that names the scope, and returns true once', async () => {
    const reasons: unknown[] = [];
    const done = scope(
      async (s) => {
        s.spawn(async (token) => {
          await token.cancelled();
          reasons.push(token.reason);
        });
        expect([s.cancel(), s.cancel(), s.cancel('again')]).toEqual([true, false, false]);
        s.token.throwIfCancelled();
      },
      { name: 'page' },
    );
    const error = await rejection(done);
    expect(isCancelledError(error)).toBe(true);
    expect(error).toMatchObject({ source: 'scope', message: 'Scope "page" was cancelled' });
    expect(reasons).toEqual([error]);
    expect(reasons[0]).toBe(error);
  });

  it('passes on a reason verbatim', async () => {
    const reason = Symbol('why');
    expect(await rejection(scope((s) => s.cancel(reason)))).toBe(reason);
  });

  it('counts until the body has fulfilled, and not after', async () => {
    const { work, fulfil } = deaf();
    let cancel = (): unknown => undefined;
    const done = scope((s) => {
      s.spawn(work);
      cancel = () => s.cancel();
      return 'value';
    });
    await turn();
    expect(cancel()).toBe(true);
    fulfil();
    expect(await done).toBe('value');
  });
});

describe('cancel of a task', () => {
  it('cancels that task only, and is no failure', async () => {
    const value = await scope(async (s) => {
      const stopped = s.spawn(obedient(new VirtualClock()), { name: 'poller' });
      const { work, fulfil } = deaf<number>();
      const other = s.spawn(work);
      expect([stopped.cancel(), stopped.cancel()]).toEqual([true, false]);
      const outcome = await stopped.settled();
      expect(outcome).toMatchObject({ status: 'cancelled', reason: { message: 'Task "poller" was cancelled' } });
      expect(s.token.isCancelled).toBe(false);
      expect(other.status).toBe('running');
      fulfil(1);
      return await other;
    });
    expect(value).toBe(1);
  });

  it('is a failure when the task throws another error', async () => {
    const error = new Error('own');
    const done = scope((s) => {
      const task = s.spawn(async (token) => {
        await token.cancelled();
        throw error;
      });
      task.cancel('stop');
    });
    expect(await rejection(done)).toBe(error);
  });

  it('is a failure of a body that awaits the task and was not cancelled itself', async () => {
    const done = scope(async (s) => {
      const task = s.spawn(obedient(new VirtualClock()));
      task.cancel('only the task');
      await task;
    });
    expect(await rejection(done)).toBe('only the task');
  });

  it('has no effect when the task has ended', async () => {
    await scope(async (s) => {
      const task = s.spawn(() => 1);
      expect(await task).toBe(1);
      expect(task.cancel()).toBe(false);
      expect(task.status).toBe('fulfilled');
    });
  });

  it('reaches a nested scope that the task runs', async () => {
    const inner: unknown[] = [];
    await scope(async (s) => {
      const task = s.spawn((token) =>
        scope(
          async (s) => {
            await s.token.cancelled();
            inner.push(s.token.reason);
            s.token.throwIfCancelled();
          },
          { signal: token },
        ),
      );
      task.cancel('down');
      expect(await task.settled()).toEqual({ status: 'cancelled', reason: 'down' });
    });
    expect(inner).toEqual(['down']);
  });
});

function cancelledToken(reason: unknown): CancellationToken {
  const token = new CancellationToken();
  token.cancel(reason);
  return token;
}

it.each<[string, (s: Scope, task: Task<unknown>) => { cancel(): boolean; readonly token: CancellationToken }]>([
  ['scope', (s) => s],
  ['task', (_, task) => task],
])('a %s that is cancelled again creates no error, which would capture a stack', async (_, of) => {
  const done = scope(async (s) => {
    const task = s.spawn((token) => token.cancelled());
    const handle = of(s, task);
    expect(handle.cancel()).toBe(true);
    const cancel = vi.spyOn(handle.token, 'cancel');
    expect([handle.cancel(), handle.cancel()]).toEqual([false, false]);
    expect(cancel).not.toHaveBeenCalled();
  });
  await done.catch((error) => {
    if (!isCancelledError(error)) throw error;
  });
});
