import { CancellationToken, RetryError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Restart, type RestartOptions, Scope, ScopeError, scope } from '@quiesce/scope';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { rejection } from './vocabulary.ts';

const offline = new Error('offline');

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs a scope with one task that is restarted, and returns how the scope ended, and when each run started. */
async function supervised(
  work: (token: CancellationToken, run: number) => unknown,
  options: RestartOptions = {},
  body: (s: Scope) => unknown = () => {},
) {
  const clock = new VirtualClock();
  const starts: number[] = [];
  const run = (token: CancellationToken): unknown => {
    starts.push(clock.now());
    return work(token, starts.length);
  };
  const restart: RestartOptions = { jitter: 'none', onRestart: () => {}, ...options };
  const result = await clock.run(() =>
    scope(
      async (s) => {
        const task = s.spawn(run, { name: 'consumer', restart });
        await body(s);
        return task;
      },
      { clock },
    ).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
  );
  expect(clock.pendingCount).toBe(0);
  return { result, starts, end: clock.now() };
}

const failing = (until: number) => async (_: CancellationToken, run: number) => {
  if (run < until) throw offline;
  return `run ${run}`;
};

describe('a task with `restart`', () => {
  it('runs again when it fails, after a growing delay, and its value is that of the last run', async () => {
    const { result, starts } = await supervised(failing(4));
    expect(result).toEqual({ value: 'run 4' });
    expect(starts).toEqual([0, 100, 300, 700]);
  });

  it('fails, and so cancels its scope, at one restart too many within the time', async () => {
    const siblings: unknown[] = [];
    const { result, starts } = await supervised(failing(99), { limit: 2 }, (s) => {
      s.spawn((token) => token.cancelled().then(() => siblings.push((token.reason as Error).message)));
    });
    const { error } = result as { error: RetryError };
    expect(error).toBeInstanceOf(RetryError);
    expect(error).toMatchObject({ attemptCount: 3, cause: offline, errors: [offline, offline, offline] });
    expect(error.message).toBe('Task "consumer" was restarted 2 times within 60000 ms; the last error: Error: offline');
    expect(starts).toEqual([0, 100, 300]);
    expect(siblings).toEqual(['Task "consumer" in the same scope failed']);
  });

  it('forgets restarts that are older than `within`, and begins with the first delay again', async () => {
    const clock = new VirtualClock();
    const restarts: Restart[] = [];
    const restart: RestartOptions = {
      limit: 3,
      within: 1_000,
      jitter: 'none',
      onRestart: (next) => restarts.push(next),
    };
    await using s = new Scope({ clock });
    let runs = 0;
    s.spawn(
      async (token) => {
        if (++runs % 3 !== 0) throw offline;
        // Long enough for the earlier restarts to be forgotten.
        await token.runUntilCancelled(new Promise<void>((resolve) => clock.setTimer(2_000, resolve, { ref: true })));
        token.throwIfCancelled();
        throw offline;
      },
      { restart },
    );
    await clock.advance(7_000);
    expect(restarts.map(({ delayMs }) => delayMs)).toEqual([100, 200, 100, 200, 400, 100, 200, 400]);
    expect(restarts.at(-1)?.restartCount).toBe(8);
  });

  it('ends when it returns; with `always` it runs again', async () => {
    expect((await supervised(() => 'done')).starts).toEqual([0]);
    const { result, starts } = await supervised(() => 'done', { when: 'always', limit: 2 });
    expect(starts).toEqual([0, 100, 300]);
    expect((result as { error: RetryError }).error.errors).toEqual([]);
    expect((result as { error: RetryError }).error.message).toBe(
      'Task "consumer" was restarted 2 times within 60000 ms',
    );
  });

  it('is not restarted after an error that `restartIf` refuses', async () => {
    const { result, starts } = await supervised(failing(9), { restartIf: () => false });
    expect([result, starts]).toEqual([{ error: offline }, [0]]);
  });

  it('refuses a `restartIf` that returns a promise, which would count as true', async () => {
    const restartIf = (async () => false) as unknown as () => boolean;
    const { result, starts } = await supervised(failing(9), { restartIf });
    expect(String((result as { error: unknown }).error)).toBe(
      'TypeError: spawn: restart: restartIf: expected true or false, got a Promise; it must not be async',
    );
    expect(starts).toEqual([0]);
  });

  it('keeps the last hundred errors', async () => {
    const { result } = await supervised((_, run) => Promise.reject(run), { limit: 250, delay: 0 });
    const { error } = result as { error: RetryError };
    expect([error.errors.length, error.errors[0], error.cause, error.attemptCount]).toEqual([100, 152, 251, 251]);
  });

  it('is not restarted after its cancellation, also when it ends with an error of its own', async () => {
    const broken = new Error('cleanup failed');
    const { result, starts } = await supervised(
      async (token) => {
        await token.cancelled();
        throw broken;
      },
      {},
      (s) => s.cancel('deploy'),
    );
    expect([result, starts]).toEqual([{ error: broken }, [0]]);
  });

  it('is cancelled during its delay, which leaves no timer', async () => {
    const clock = new VirtualClock();
    await scope(
      async (s) => {
        const task = s.spawn(() => Promise.reject(offline), { restart: { jitter: 'none', onRestart: () => {} } });
        await clock.advance(50);
        task.cancel('enough');
        expect(await task.settled()).toEqual({ status: 'cancelled', reason: 'enough' });
        expect(clock.pendingCount).toBe(0);
      },
      { clock },
    );
  });

  it('ends normally when the stop signal ended it', async () => {
    const stop = new CancellationToken();
    const starts: number[] = [];
    await scope(
      async (s) => {
        s.spawn(
          async () => {
            starts.push(1);
            stop.cancel('deploy');
            throw stop.reason;
          },
          { restart: {} },
        );
      },
      { stopSignal: stop },
    );
    expect(starts).toEqual([1]);
  });

  it('prints each failure without `onRestart`, so that none is lost', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await supervised(failing(2), { onRestart: undefined });
    expect(warn.mock.calls).toEqual([['Task "consumer" ended and is restarted in 100 ms (restart 1):', offline]]);
  });

  it('passes each failure to `onRestart` with its delay', async () => {
    const restarts: Restart[] = [];
    await supervised(failing(3), { onRestart: (next) => restarts.push(next) });
    expect(restarts).toEqual([
      { error: offline, restartCount: 1, delayMs: 100 },
      { error: offline, restartCount: 2, delayMs: 200 },
    ]);
  });

  it('is one task in the tree, with its name and key, also during a delay', async () => {
    const clock = new VirtualClock();
    await using s = new Scope({ clock });
    s.spawn(() => Promise.reject(offline), { name: 'consumer', key: 'orders', restart: { onRestart: () => {} } });
    await clock.advance(0);
    expect(s.tree().children).toMatchObject([{ kind: 'task', name: 'consumer', state: 'running' }]);
    expect(s.task('orders')?.name).toBe('consumer');
  });
});

describe('`start` with `restart`', () => {
  it('is ready at the first `ready` of any run, and later runs may call it, too', async () => {
    const clock = new VirtualClock();
    let runs = 0;
    await clock.run(() =>
      scope(
        async (s) => {
          const { value, task } = await s.start(
            async (_, ready: (port: number) => void) => {
              runs++;
              if (runs === 1) throw offline;
              ready(8_000 + runs);
              if (runs === 2) throw offline;
            },
            { restart: { jitter: 'none', onRestart: () => {} } },
          );
          expect(value).toBe(8_002);
          await task;
        },
        { clock },
      ),
    );
    expect(runs).toBe(3);
  });
});

describe('wrong options of `restart`', () => {
  it.each([
    [{ limit: -1 }, RangeError, 'spawn: restart: limit must be an integer from 0, or Infinity, got the number -1'],
    [{ within: -1 }, RangeError, 'spawn: restart: within must be milliseconds from 0 to Infinity, got the number -1'],
    [{ factor: '2' }, TypeError, 'spawn: restart: factor must be a number from 1, got the string "2"'],
    [{ factor: 0.5 }, RangeError, 'spawn: restart: factor must be a number from 1, got the number 0.5'],
    [{ when: 'never' }, TypeError, "spawn: restart: when must be 'failure' or 'always', got the string \"never\""],
    [{ attempts: 3 }, TypeError, 'spawn: restart: there is no option "attempts"'],
    [true, TypeError, 'spawn: restart: the options must be an object, got the boolean true'],
  ])('%o are refused, and nothing starts', async (restart, type, text) => {
    const s = new Scope();
    const work = vi.fn();
    const start = (): unknown => s.spawn(work, { restart: restart as never });
    expect(start).toThrow(type);
    expect(start).toThrow(text);
    await s.close();
    expect(work).not.toHaveBeenCalled();
  });
});

it('several restarted tasks that give up make a ScopeError', async () => {
  const clock = new VirtualClock();
  const restart: RestartOptions = { limit: 0, onRestart: () => {} };
  const error = await clock.run(() =>
    rejection(
      scope((s) => {
        for (const name of ['a', 'b']) s.spawn(() => Promise.reject(new Error(name)), { name, restart });
      }),
    ),
  );
  expect(error).toBeInstanceOf(ScopeError);
  expect((error as ScopeError).errors).toMatchObject([{ code: 'ERR_RETRY' }, { code: 'ERR_RETRY' }]);
});
