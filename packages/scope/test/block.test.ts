import { CancellationToken, isCancellation, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, ScopeError, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, failing, obedient, rejection, turn, uncaughtIn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');
const error = new Error('failed');

describe('a Scope for a block', () => {
  it('waits at join for its tasks, for tasks that they spawn, and for its cleanups', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const s = new Scope();
    s.defer(() => log.push('cleanup'));
    s.spawn(() => sleep(5, { clock }).then(() => s.spawn(() => sleep(5, { clock }).then(() => log.push('inner')))));
    await clock.run(() => s.join());
    expect(log).toEqual(['inner', 'cleanup']);
    expect(clock.now()).toBe(10);
  });

  it('cancels and awaits running tasks at close, and cleans up', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const s = new Scope({ name: 'import' });
    s.defer(() => log.push('cleanup'));
    const task = s.spawn(obedient(clock, 10, () => log.push('task')));
    await clock.run(() => s.close());
    expect(log).toEqual(['task', 'cleanup']);
    const outcome = await task.settled();
    expect(outcome).toMatchObject({ status: 'cancelled', reason: { source: 'scope' } });
  });

  it('is closed by `await using` at the end of its block, however the block ends', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(async () => {
      await using s = new Scope();
      s.spawn(obedient(clock, 5, () => log.push('left')));
    });
    const thrown = await rejection(
      clock.run(async () => {
        await using s = new Scope();
        s.spawn(obedient(clock, 5, () => log.push('thrown')));
        throw a;
      }),
    );
    expect(thrown).toBe(a);
    expect(log).toEqual(['left', 'thrown']);
  });

  it('is closed by try and finally', async () => {
    const log: string[] = [];
    const run = async (fails: boolean): Promise<void> => {
      const s = new Scope();
      try {
        s.defer(() => log.push('cleanup'));
        s.spawn(async () => log.push('task'));
        if (fails) throw a;
        await s.join();
      } finally {
        await s.close();
      }
    };
    await run(false);
    expect(await rejection(run(true))).toBe(a);
    expect(log).toEqual(['task', 'cleanup', 'task', 'cleanup']);
  });

  it('rejects at join with one failure verbatim and several as a ScopeError, and close then resolves', async () => {
    const clock = new VirtualClock();
    const one = new Scope();
    one.spawn(failing(clock, 1, a));
    const sibling = one.spawn(obedient(clock));
    expect(await rejection(clock.run(() => one.join()))).toBe(a);
    expect(sibling.status).toBe('cancelled');
    await one.close();
    const two = new Scope();
    two.spawn(() => Promise.reject(a));
    two.defer(() => Promise.reject(b));
    const error = await rejection(two.join());
    expect(error).toBeInstanceOf(ScopeError);
    expect((error as ScopeError).errors).toEqual([a, b]);
    expect(await rejection(two.join())).toBe(error);
  });

  it('rejects at close with the failures, but never with a reason', async () => {
    const failed = new Scope();
    failed.spawn(async (token) => {
      await token.cancelled();
      throw a;
    });
    expect(await rejection(failed.close())).toBe(a);
    const cancelled = new Scope();
    cancelled.cancel('stop');
    expect(await cancelled.close()).toBe(undefined);
  });

  it('rejects at join with the reason when it was cancelled before its last task had ended', async () => {
    const outer = new CancellationToken();
    const s = new Scope({ signal: outer });
    const { work, fulfil } = deaf();
    s.spawn(work);
    const joined = s.join();
    outer.cancel('deploy');
    fulfil();
    expect(await rejection(joined)).toBe('deploy');
    const done = new Scope({ signal: outer });
    expect(await rejection(done.join())).toBe('deploy');
  });

  it('can be joined and closed any number of times, and is closed after that', async () => {
    const s = new Scope({ name: 'block' });
    let cleanups = 0;
    s.defer(() => cleanups++);
    await Promise.all([s.join(), s.join(), s.close()]);
    await s.close();
    expect(cleanups).toBe(1);
    expect(() => s.spawn(() => {})).toThrow('spawn: scope "block" has ended');
  });

  it('throws a failure of its block and one of a task as a SuppressedError, where the language has it', async () => {
    const thrown = await rejection(
      (async () => {
        await using s = new Scope();
        s.spawn(() => Promise.reject(b));
        await turn();
        throw a;
      })(),
    );
    expect(thrown).toMatchObject({ name: 'SuppressedError', error: b, suppressed: a });
  });

  it('keeps its tasks when it is never ended, and their failures are no unhandled rejections', async () => {
    const s = new Scope();
    s.spawn(() => Promise.reject(a));
    const sibling = s.spawn(obedient(new VirtualClock()));
    await turn();
    expect(sibling.status).toBe('cancelled');
    expect(isCancellation(s.token.reason, s.token)).toBe(true);
    expect(await rejection(s.close())).toBe(a);
  });

  it('is cancelled by its default reason, which names it', async () => {
    const s = new Scope({ name: 'block' });
    expect(s.cancel()).toBe(true);
    expect(isCancelledError(s.token.reason)).toBe(true);
    expect(s.token.reason).toMatchObject({ message: 'Scope "block" was cancelled', source: 'scope' });
    await s.close();
  });
});

describe('join and close', () => {
  it('throw inside scope(body), which ends itself', async () => {
    await scope(async (s) => {
      expect(await rejection(s.join())).toBeInstanceOf(TypeError);
      expect(await rejection(s.close())).toMatchObject({ message: expect.stringContaining('close: scope(body) ends') });
    });
  });
});

describe('a failed task of a block that is never ended', () => {
  it.each<[string, (s: Scope) => unknown]>([
    ['alone', (s) => s.spawn(() => Promise.reject(error))],
    ['with finally', (s) => void s.spawn(() => Promise.reject(error)).finally(() => {})],
    ['with then', (s) => void s.spawn(() => Promise.reject(error)).then(() => {})],
    [
      'with then and finally',
      (s) =>
        void s
          .spawn(() => Promise.reject(error))
          .then(() => {})
          .finally(() => {}),
    ],
    ['of start', (s) => void s.start(() => Promise.reject(error))],
    ['of start, with then', (s) => void s.start(() => Promise.reject(error)).then(() => {})],
    ['isolated', (s) => s.spawn(() => Promise.reject(error), { onFailure: 'isolate' })],
    ['of a map', (s) => s.map([1], () => Promise.reject(error))],
    ['of use', (s) => s.use(Promise.reject(error), () => {})],
  ])('is reported one macrotask later: %s', async (_, start) => {
    const uncaught = await uncaughtIn(async (reported) => {
      start(new Scope({ name: 'kept' }));
      await reported;
    });
    expect(uncaught).toMatchObject([{ message: expect.stringContaining('of scope "kept" failed'), cause: error }]);
  });

  it.each<[string, (s: Scope) => Promise<unknown>]>([
    ['the task is awaited', async (s) => await s.spawn(() => Promise.reject(error))],
    ['the scope is joined', (s) => [s.spawn(() => Promise.reject(error)), s.join()][1] as Promise<unknown>],
    ['a promise derived from the task is awaited', (s) => s.spawn(() => Promise.reject(error)).then(() => {})],
    [
      'a promise further down the chain is handled',
      (s) =>
        s
          .spawn(() => Promise.reject(error))
          .finally(() => {})
          .then()
          .catch(() => {}),
    ],
    ['start is awaited', (s) => s.start(() => Promise.reject(error))],
    ['the failure is handled', (s) => s.spawn(() => Promise.reject(error)).catch(() => s.close())],
  ])('is not reported when %s', async (_, start) => {
    const uncaught = await uncaughtIn(async () => {
      await start(new Scope()).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
    expect(uncaught).toEqual([]);
  });
});

it.each<[string, (s: Scope) => Promise<unknown>]>([
  ['close', (s) => s.close()],
  ['join', (s) => s.join()],
])('`use` returns no resource that the end of its block (%s) has closed', async (_, end) => {
  const s = new Scope();
  let isClosed = false;
  let resolve: (value: object) => void = () => {};
  const arriving = new Promise<object>((fulfil) => (resolve = fulfil));
  const used = s.use(arriving, () => {
    isClosed = true;
  });
  const seen = used.then(
    () => `a resource that is closed: ${isClosed}`,
    () => 'refused',
  );
  const ended = end(s);
  resolve({});
  await ended;
  expect([await seen, isClosed]).toEqual(['refused', true]);
});
