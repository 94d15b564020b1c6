import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, scope } from '@quiesce/scope';
import { select, selectEach, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { failing, obedient, rejection } from './vocabulary.ts';

const error = new Error('inner');

describe('a scope in a task of another scope', () => {
  it('is cancelled from above, and ends before the outer scope, with all of its cleanups done', async () => {
    const clock = new VirtualClock();
    const outer = new CancellationToken();
    const log: string[] = [];
    const done = clock.run(() => {
      void sleep(5, { clock }).then(() => outer.cancel('deploy'));
      return scope(
        (s) => {
          s.defer(() => log.push('outer cleanup'));
          s.spawn((token) =>
            scope(
              async (s) => {
                s.defer(() => sleep(10, { clock }).then(() => log.push('inner cleanup')));
                s.spawn(obedient(clock, 20, () => log.push('inner task')));
                await obedient(clock, 1, () => log.push('inner body'))(s.token);
              },
              { signal: token },
            ),
          );
          return new Promise<never>((_, reject) => s.token.onCancelled(reject));
        },
        { signal: outer },
      );
    });
    expect(await rejection(done)).toBe('deploy');
    expect(log).toEqual(['inner body', 'inner task', 'inner cleanup', 'outer cleanup']);
    expect(clock.now()).toBe(35);
  });

  it('that fails also fails its task and the outer scope, with the same error, and cancels its siblings', async () => {
    const clock = new VirtualClock();
    const reasons: unknown[] = [];
    const done = clock.run(() =>
      scope((s) => {
        s.spawn((token) => scope((s) => void s.spawn(failing(clock, 5, error)), { signal: token }));
        s.spawn(obedient(clock, 5)).catch((reason) => reasons.push(reason));
      }),
    );
    expect(await rejection(done)).toBe(error);
    expect(reasons).toMatchObject([{ source: 'sibling', cause: error }]);
  });

  it('handles a failure locally when its task catches it', async () => {
    const value = await scope(async (s) => {
      const task = s.spawn((token) =>
        scope((s) => s.spawn(() => Promise.reject(error)), { signal: token }).catch(() => 'handled'),
      );
      return await task;
    });
    expect(value).toBe('handled');
  });

  it('with several failures is one failure of the outer scope: the inner ScopeError', async () => {
    const other = new Error('other');
    const done = scope((s) => {
      s.spawn(() =>
        scope((s) => {
          s.spawn(() => Promise.reject(error));
          s.spawn(() => Promise.reject(other));
        }),
      );
    });
    const thrown = await rejection(done);
    expect(thrown).toBeInstanceOf(ScopeError);
    expect((thrown as ScopeError).errors).toEqual([error, other]);
  });

  it('that cancels itself is a failure of the outer scope, which was not cancelled', async () => {
    const done = scope((s) => {
      s.spawn((token) => scope((s) => s.cancel('inner only'), { signal: token }));
    });
    expect(await rejection(done)).toBe('inner only');
  });

  it('can be a hundred levels deep, and a cancellation reaches the last level and returns', async () => {
    const outer = new CancellationToken();
    const left: number[] = [];
    const down = (depth: number, signal: CancellationToken): Promise<unknown> =>
      scope(
        async (s) => {
          s.defer(() => left.push(depth));
          if (depth === 100) {
            outer.cancel('from the bottom');
            s.token.throwIfCancelled();
          }
          await s.spawn((token) => down(depth + 1, token));
        },
        { signal },
      );
    expect(await rejection(down(1, outer))).toBe('from the bottom');
    expect(left).toEqual(Array.from({ length: 100 }, (_, i) => 100 - i));
  });
});

describe('select in a scope', () => {
  it('lets a worker leave its loop on cancellation, and no value is lost', async () => {
    const clock = new VirtualClock();
    const [tx, rx] = broadcast<number>(16);
    const handled: number[] = [];
    const worker = async (token: CancellationToken): Promise<string> => {
      for (;;) {
        const outcome = await select.biased({ stopped: token, job: rx, idle: sleep(50, { clock }) });
        if (outcome.branch === 'stopped') return 'flushed';
        if (outcome.branch === 'job') handled.push(outcome.value);
      }
    };
    const result = await clock.run(() =>
      scope(async (s) => {
        const task = s.spawn(worker);
        for (let n = 0; n < 3; n++) {
          await sleep(20, { clock });
          tx.send(n);
        }
        await sleep(100, { clock });
        task.cancel();
        tx.send(99);
        return await task;
      }),
    );
    expect(result).toBe('flushed');
    expect(handled).toEqual([0, 1, 2]);
    expect(rx.length).toBe(1);
    expect(clock.pendingCount).toBe(0);
  });

  it('cancels and awaits its functions when the scope is cancelled through it', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = clock.run(() =>
      scope(async (s) => {
        s.spawn(failing(clock, 5, error));
        const work = obedient(clock, 10, () => log.push(`cleaned up at ${clock.now()}`));
        await select({ work }, { signal: s.token });
      }),
    );
    expect(await rejection(done)).toBe(error);
    expect(log).toEqual(['cleaned up at 15']);
  });

  it('can run a scope as a branch: if it loses, it is cancelled and awaited', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const outcome = await clock.run(() =>
      select({
        timeout: sleep(10, { clock }),
        work: (token) =>
          scope(
            (s) => {
              s.defer(() => log.push('cleanup'));
              s.spawn(obedient(clock, 20, () => log.push('task')));
              return new Promise<never>((_, reject) => s.token.onCancelled(reject));
            },
            { signal: token },
          ),
      }),
    );
    expect(outcome).toEqual({ branch: 'timeout', value: undefined });
    expect(log).toEqual(['task', 'cleanup']);
    expect(clock.now()).toBe(30);
  });
});

describe('scopes in selectEach', () => {
  it('end before a `break` leaves the loop, which cancels them', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const work = (token: CancellationToken): Promise<void> =>
      scope(
        (s) => {
          s.defer(() => log.push('cleaned up'));
          s.spawn(obedient(clock, 5, () => log.push('stopped')));
        },
        { signal: token, clock },
      );
    await clock.run(async () => {
      for await (const { branch } of selectEach({ work, tick: sleep(1, { clock }) })) {
        log.push(branch);
        if (branch === 'tick') break;
      }
      log.push('after the loop');
    });
    expect(log).toEqual(['tick', 'stopped', 'cleaned up', 'after the loop']);
  });
});
