import { CancelledError, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, failing, obedient, rejection, turn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');

/** Several failures, in order. */
function expectErrors(error: unknown, ...errors: readonly unknown[]): void {
  expect(error).toBeInstanceOf(ScopeError);
  expect(error).toBeInstanceOf(AggregateError);
  const given = (error as ScopeError).errors;
  expect(given).toHaveLength(errors.length);
  for (const [i, each] of errors.entries()) expect(given[i]).toBe(each);
}

describe('a failure', () => {
  it('of a cleanup after a cancellation can be a subclass of CancelledError with a name of its own', async () => {
    class RollbackError extends CancelledError {
      override readonly name = 'RollbackError' as never;
    }
    const error = new RollbackError('rollback failed');
    const done = scope(async (s) => {
      s.spawn(async (token) => {
        await token.cancelled();
        throw error;
      });
      s.cancel();
    });
    expect(await rejection(done)).toBe(error);
  });

  it('of a task is thrown verbatim, even if no code awaits the task', async () => {
    expect(await rejection(scope((s) => void s.spawn(() => Promise.reject(a))))).toBe(a);
  });

  it('of a task is thrown even if the body awaits the task and catches it', async () => {
    const done = scope(async (s) => {
      await s.spawn(() => Promise.reject(a)).catch(() => {});
      return 'handled, it thinks';
    });
    expect(await rejection(done)).toBe(a);
  });

  it('of a task that the body throws again is one failure, not two', async () => {
    const done = scope(async (s) => {
      const failing = s.spawn(() => Promise.reject(a));
      s.spawn(async () => await failing);
      await failing;
    });
    expect(await rejection(done)).toBe(a);
  });

  it('of the body comes after those of tasks that failed before it', async () => {
    const done = scope(async (s) => {
      s.spawn(() => Promise.reject(a));
      await turn();
      throw b;
    });
    expectErrors(await rejection(done), a, b);
  });

  it.each([
    [0, 1],
    [1, 0],
  ])('of several tasks reports all of them, in order of failure: after %d and %d ms', async (first, second) => {
    const clock = new VirtualClock();
    const done = clock.run(() =>
      scope(
        (s) => {
          s.spawn(failing(clock, first, a));
          s.spawn(failing(clock, second, b));
        },
        { name: 'two' },
      ),
    );
    const error = await rejection(done);
    if (first < second) expectErrors(error, a, b);
    else expectErrors(error, b, a);
    expect(error).toMatchObject({ name: 'ScopeError', code: 'ERR_SCOPE' });
    expect((error as Error).message).toContain('2 failures in scope "two"');
  });

  it('is identified by identity: two equal errors are two failures', async () => {
    const [one, two] = [new Error('same'), new Error('same')];
    const done = scope((s) => {
      s.spawn(() => Promise.reject(one));
      s.spawn(() => Promise.reject(two));
    });
    expectErrors(await rejection(done), one, two);
  });

  it('can be any value, including undefined', async () => {
    const done = scope((s) => {
      for (const reason of [undefined, null, 0, 'text', 0]) s.spawn(() => Promise.reject(reason));
    });
    expectErrors(await rejection(done), undefined, null, 0, 'text');
  });
});

describe('the siblings of a failed task', () => {
  it('are cancelled with a CancelledError that says so, and are awaited with their cleanups', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const reasons: unknown[] = [];
    const done = clock.run(() =>
      scope(async (s) => {
        s.spawn(failing(clock, 10, a), { name: 'disk' });
        for (const ms of [30, 20]) {
          s.spawn(obedient(clock, ms, () => log.push(`cleaned up after ${ms}`))).catch((error) => reasons.push(error));
        }
      }),
    );
    expect(await rejection(done)).toBe(a);
    expect(log).toEqual(['cleaned up after 20', 'cleaned up after 30']);
    expect(clock.now()).toBe(40);
    for (const reason of reasons) {
      expect(isCancelledError(reason)).toBe(true);
      expect(reason).toMatchObject({ source: 'sibling', cause: a, name: 'AbortError' });
      expect((reason as Error).message).toBe('Task "disk" in the same scope failed');
    }
    expect(reasons).toHaveLength(2);
  });

  it('are cancelled when the body fails, too; then no task is named', async () => {
    const reasons: unknown[] = [];
    const done = scope((s) => {
      s.spawn(async (token) => {
        await token.cancelled();
        reasons.push(token.reason);
      });
      throw a;
    });
    expect(await rejection(done)).toBe(a);
    expect(reasons).toMatchObject([{ source: 'sibling', cause: a, message: 'A sibling in the same scope failed' }]);
  });

  it('are cancelled before code that awaits the failed task resumes', async () => {
    const seen: boolean[] = [];
    const done = scope(async (s) => {
      await s.spawn(() => Promise.reject(a)).catch(() => seen.push(s.token.isCancelled));
    });
    expect(await rejection(done)).toBe(a);
    expect(seen).toEqual([true]);
  });

  it('can fail while they clean up, and no error is lost', async () => {
    const clock = new VirtualClock();
    const done = clock.run(() =>
      scope((s) => {
        s.spawn(failing(clock, 1, a));
        s.spawn(async (token) => {
          await token.cancelled();
          await sleep(5, { clock });
          throw b;
        });
      }),
    );
    expectErrors(await rejection(done), a, b);
  });

  it('can still fulfil, which is no failure and changes nothing', async () => {
    const { work, fulfil } = deaf<string>();
    let outcome: unknown;
    const done = scope((s) => {
      const task = s.spawn(work);
      void task.settled().then((settled) => {
        outcome = settled;
      });
      s.spawn(() => Promise.reject(a));
    });
    await turn();
    fulfil('finished anyway');
    expect(await rejection(done)).toBe(a);
    expect(outcome).toEqual({ status: 'fulfilled', value: 'finished anyway' });
  });
});

describe('an error that looks like a cancellation', () => {
  it.each([
    ['a CancelledError', new CancelledError('not ours')],
    ['an AbortError', new DOMException('not ours', 'AbortError')],
  ])('is a failure of a task that was not cancelled: %s', async (_, error) => {
    expect(await rejection(scope((s) => void s.spawn(() => Promise.reject(error))))).toBe(error);
  });

  it('is a failure of a body that was not cancelled', async () => {
    const error = new DOMException('not ours', 'AbortError');
    expect(await rejection(scope(() => Promise.reject(error)))).toBe(error);
  });

  it('is a failure of the task that fails first, and no second one of tasks that are cancelled with it', async () => {
    const first = new DOMException('first', 'AbortError');
    const done = scope((s) => {
      s.spawn(() => Promise.reject(first));
      s.spawn(async (token) => {
        await token.cancelled();
        throw new DOMException('obeying', 'AbortError');
      });
    });
    expect(await rejection(done)).toBe(first);
  });

  it.each([
    ['is the reason', (reason: unknown) => reason],
    ['is the CanceledError of axios', () => Object.assign(new Error('canceled'), { name: 'CanceledError' })],
    ['is an AbortError', () => new DOMException('fetch', 'AbortError')],
  ])('is a cancellation in a cancelled task when it %s', async (_, make) => {
    const done = scope((s) => {
      s.spawn(async (token) => {
        await token.cancelled();
        throw make(token.reason);
      });
      s.cancel('stop');
      return 'ignored';
    });
    expect(await rejection(done)).toBe('stop');
  });
});
