import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { obedient, rejection, turn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');

describe('deferred cleanups', () => {
  it('run last in, first out, one after the other', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(() =>
      scope((s) => {
        for (const name of ['first', 'second', 'third']) {
          s.defer(async () => {
            log.push(`${name} begins`);
            await sleep(10, { clock });
            log.push(`${name} ends`);
          });
        }
      }),
    );
    const names = ['third', 'second', 'first'];
    expect(log).toEqual(names.flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('run after the body and after every task, including tasks that clean up themselves', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = clock.run(() =>
      scope(async (s) => {
        s.defer(() => log.push('deferred'));
        s.spawn(obedient(clock, 20, () => log.push('task cleaned up')));
        await sleep(5, { clock });
        log.push('body fails');
        throw a;
      }),
    );
    expect(await rejection(done)).toBe(a);
    expect(log).toEqual(['body fails', 'task cleaned up', 'deferred']);
  });

  it('can be synchronous, and their results are ignored', async () => {
    const log: string[] = [];
    const value = await scope((s) => {
      s.defer(() => log.push('one'));
      s.defer(() => Promise.resolve('two').then((name) => log.push(name)));
      return 'value';
    });
    expect(value).toBe('value');
    expect(log).toEqual(['two', 'one']);
  });

  it('run before the scope settles, however it settles', async () => {
    for (const body of [() => 'value', () => Promise.reject(a), (s: { cancel(): boolean }) => s.cancel()]) {
      const log: string[] = [];
      await scope((s) => {
        s.defer(() => turn().then(() => log.push('cleanup')));
        return body(s);
      }).catch(() => {});
      expect(log).toEqual(['cleanup']);
    }
  });

  it('can be deferred by a task, and in the body after a task has failed', async () => {
    const log: string[] = [];
    const done = scope(async (s) => {
      s.spawn(async () => {
        s.defer(() => log.push('of the task'));
        throw a;
      });
      await s.token.cancelled();
      s.defer(() => log.push('of the body'));
    });
    expect(await rejection(done)).toBe(a);
    expect(log).toEqual(['of the body', 'of the task']);
  });

  it('run next when a cleanup defers them', async () => {
    const log: string[] = [];
    await scope((s) => {
      s.defer(() => log.push('outer'));
      s.defer(() => {
        log.push('opens');
        s.defer(() => log.push('closes'));
      });
    });
    expect(log).toEqual(['opens', 'closes', 'outer']);
  });

  it('do not run when the body never started', async () => {
    const log: string[] = [];
    const signal = AbortSignal.abort('before');
    expect(await rejection(scope((s) => s.defer(() => log.push('ran')), { signal }))).toBe('before');
    expect(log).toEqual([]);
  });

  it('are not reached by a cancellation that comes while they run', async () => {
    const clock = new VirtualClock();
    const outer = new CancellationToken();
    const log: string[] = [];
    const done = clock.run(() =>
      scope(
        (s) => {
          for (const name of ['first', 'second']) s.defer(() => sleep(10, { clock }).then(() => log.push(name)));
          void sleep(5, { clock }).then(() => outer.cancel());
          return 'value';
        },
        { signal: outer },
      ),
    );
    expect(await done).toBe('value');
    expect(log).toEqual(['second', 'first']);
  });
});

describe('a failing cleanup', () => {
  it('fails a scope that had succeeded, with its error, verbatim', async () => {
    expect(await rejection(scope((s) => s.defer(() => Promise.reject(a))))).toBe(a);
  });

  it('does not keep the others from running, and no error is lost', async () => {
    const log: string[] = [];
    const done = scope((s) => {
      s.defer(() => log.push('first'));
      s.defer(() => {
        throw b;
      });
      s.defer(() => log.push('third'));
      s.defer(() => Promise.reject(a));
    });
    const error = await rejection(done);
    expect(error).toBeInstanceOf(ScopeError);
    expect((error as ScopeError).errors).toEqual([a, b]);
    expect(log).toEqual(['third', 'first']);
  });

  it('comes after earlier failures', async () => {
    const done = scope((s) => {
      s.defer(() => Promise.reject(b));
      s.spawn(() => Promise.reject(a));
    });
    expect(((await rejection(done)) as ScopeError).errors).toEqual([a, b]);
  });

  it('counts once when it throws the error of the body', async () => {
    const done = scope((s) => {
      s.defer(() => Promise.reject(a));
      throw a;
    });
    expect(await rejection(done)).toBe(a);
  });

  it('takes precedence over the cancellation, which must not hide it', async () => {
    const done = scope((s) => {
      s.defer(() => Promise.reject(a));
      s.cancel('stop');
    });
    expect(await rejection(done)).toBe(a);
  });

  it('is a failure even if its error looks like a cancellation', async () => {
    const error = new DOMException('in the cleanup', 'AbortError');
    const done = scope((s) => {
      s.defer(() => Promise.reject(error));
      s.cancel('stop');
    });
    expect(await rejection(done)).toBe(error);
  });
});
