// The cleanup timeout in corner cases: which timer runs, what it leaves behind, and where late errors go.
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, ScopeError, type ScopeOptions, scope } from '@quiesce/scope';
import { CleanupTimeoutError, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, turn, uncaughtIn } from './vocabulary.ts';

const error = new Error('too late');

const options = (clock: VirtualClock): ScopeOptions => ({ clock, cleanupTimeout: 10, name: 'page' });

describe('the work that a sibling has cancelled', () => {
  const calls: [string, (s: Scope) => unknown][] = [
    ['map', (s) => s.map([deaf().work, () => Promise.reject(error)], (work) => work())],
    ['race', (s) => s.race([deaf().work, async () => 'first'])],
    ['any', (s) => s.any([deaf().work, async () => 'first'])],
    ['mapUnordered', (s) => s.mapUnordered([deaf().work, () => Promise.reject(error)], (work) => work()).next()],
  ];
  it.each(calls)('in %s is given up after the cleanup timeout of the scope', async (_, call) => {
    const clock = new VirtualClock();
    const failure = await rejection(clock.run(() => scope(call, { clock, cleanupTimeout: 10 })));
    const all = failure instanceof ScopeError ? failure.errors : [failure];
    expect(all.at(-1)).toMatchObject({ name: 'CleanupTimeoutError', ms: 10 });
    expect([clock.now(), clock.pendingCount]).toEqual([10, 0]);
  });
});

describe('the timer of a cleanup timeout', () => {
  it('is cleared when everything has ended before it', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      s.spawn(obedient(clock, 3));
      s.cancel('stop');
      s.token.throwIfCancelled();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toBe('stop');
    expect([clock.now(), clock.pendingCount]).toEqual([3, 0]);
  });

  it('is a single one, even if a cancelled scope cancels its daemons later', async () => {
    const clock = new VirtualClock();
    const done = scope(async (s) => {
      s.spawn(obedient(clock, 4), { daemon: true });
      s.cancel('stop');
      await sleep(2, { clock });
      s.token.throwIfCancelled();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toBe('stop');
    expect([clock.now(), clock.pendingCount]).toEqual([4, 0]);
  });

  it('is not started by a cancellation that comes while the cleanups run', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      s.defer(() => {
        s.cancel();
        return sleep(3, { clock });
      });
    }, options(clock));
    await clock.run(() => done);
    expect([clock.now(), clock.pendingCount]).toEqual([3, 0]);
  });

  it('of a cleanup is cleared when that has failed in time', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => s.defer(() => sleep(3, { clock }).then(() => Promise.reject(error))), options(clock));
    expect(await rejection(clock.run(() => done))).toBe(error);
    expect([clock.now(), clock.pendingCount]).toEqual([3, 0]);
  });

  it('keeps running after a cancellation, even if a task is spawned while daemons are cancelled', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      const last = async (token: CancellationToken): Promise<void> => {
        await token.cancelled();
        await sleep(5, { clock });
        s.spawn(deaf().work, { name: 'late' });
      };
      s.spawn(last, { daemon: true });
      s.cancel();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'late', ageMs: 5 }] });
    expect(clock.now()).toBe(10);
  });

  it('runs from the start in a block whose signal is already cancelled', async () => {
    const clock = new VirtualClock();
    const s = new Scope({ ...options(clock), signal: CancellationToken.alreadyCancelled('gone') });
    s.spawn(deaf().work, { name: 'poller' });
    const end = rejection(clock.run(() => s.join()));
    expect(await end).toMatchObject({ unfinished: [{ name: 'poller', ageMs: 10 }] });
  });
});

describe('work that the scope has given up on', () => {
  it('has freed its key', async () => {
    const clock = new VirtualClock();
    const keys: unknown[] = [];
    const done = scope((s) => {
      s.defer(() => keys.push(s.task('key')));
      s.spawn(deaf().work, { key: 'key' });
      keys.push(s.task('key')?.status);
      s.cancel();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toBeInstanceOf(CleanupTimeoutError);
    expect(keys).toEqual(['running', undefined]);
  });

  it('is not reported when it ends by its cancellation later, and neither is the body', async () => {
    const clock = new VirtualClock();
    const body = deaf<never>();
    let token: CancellationToken | undefined;
    const done = scope((s) => {
      token = s.token;
      s.cancel('stop');
      return body.work();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'the body' }] });
    expect(await uncaughtIn(() => body.fail(token?.reason))).toEqual([]);
  });

  it('reports a failure to the uncaught handler, even if other code awaits it, unless it is isolated', async () => {
    const clock = new VirtualClock();
    const [task, isolated] = [deaf(), deaf()];
    const awaited: Promise<unknown>[] = [];
    const done = scope((s) => {
      awaited.push(rejection(s.spawn(task.work, { name: 'poller' })));
      awaited.push(rejection(s.spawn(isolated.work, { name: 'isolated', onFailure: 'isolate' })));
      s.cancel();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toBeInstanceOf(CleanupTimeoutError);
    const uncaught = await uncaughtIn(async () => {
      task.fail(error);
      isolated.fail(error);
      expect(await Promise.all(awaited)).toEqual([error, error]);
    });
    expect(uncaught).toMatchObject([{ message: expect.stringContaining('"poller"'), cause: error }]);
  });

  it('is named once; a cleanup that is deferred because of it and hangs has an error of its own', async () => {
    const clock = new VirtualClock();
    const hang = (): Promise<void> => deaf().work();
    const done = scope((s) => {
      // The scope was not cancelled before; the first cleanup that hangs cancels it.
      s.token.onCancelled(() => s.defer(hang, { name: 'second' }));
      s.defer(hang, { name: 'first' });
    }, options(clock));
    const thrown = await rejection(clock.run(() => done));
    expect(thrown).toBeInstanceOf(ScopeError);
    const named = (thrown as ScopeError).errors.map((one: CleanupTimeoutError) =>
      one.unfinished.map(({ name }) => name),
    );
    expect(named).toEqual([['first'], ['second']]);
  });
});

describe('a daemon that is cancelled at the end', () => {
  it('can spawn a task in a callback of its cancellation, and the task is not cancelled by that', async () => {
    const seen: boolean[] = [];
    await scope((s) => {
      const work = async (token: CancellationToken): Promise<void> => {
        token.onCancelled(() =>
          s.spawn(async (own) => {
            await turn();
            seen.push(own.isCancelled);
          }),
        );
        await token.cancelled();
      };
      s.spawn(work, { daemon: true });
    });
    expect(seen).toEqual([false]);
  });
});
