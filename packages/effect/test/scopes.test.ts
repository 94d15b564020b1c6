import { CancellationToken, isClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  acquireIn,
  type CauseError,
  effectFromScope,
  effectFromSource,
  effectFromWork,
  openScope,
  reasonFromCause,
  runEffect,
} from '@quiesce/effect';
import { type Scope, ScopeError, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { Context, Effect, Exit } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, rejection, run, uncaughtIn, words } from './vocabulary.ts';

/** A resource that is acquired in Effect, and whose release is logged. */
const resource = (log: string[], name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => name),
    (_, exit) => Effect.sync(() => void log.push(`${name} released: ${words(exit)}`)),
  );

describe('acquireIn', () => {
  test('releases in the order of the cleanups', async () => {
    const log: string[] = [];
    await scope(async (s) => {
      s.defer(() => void log.push('first defer'));
      const both = Effect.andThen(resource(log, 'a'), resource(log, 'b'));
      expect(await acquireIn(s, both)).toBe('b');
      s.defer(() => void log.push('second defer'));
      expect(await acquireIn(s, resource(log, 'c'))).toBe('c');
      s.spawn(async () => void log.push('task'));
      log.push('body');
    });
    expect(log).toEqual([
      'task',
      'body',
      'c released: success:undefined',
      'second defer',
      'b released: success:undefined',
      'a released: success:undefined',
      'first defer',
    ]);
  });

  test('passes a failure, or a cancellation with its reason, to the finalizers', async () => {
    const log: string[] = [];
    const failed = scope(async (s) => {
      await acquireIn(s, resource(log, 'a'));
      throw new Error('body');
    });
    expect(await rejection(failed)).toMatchObject({ message: 'body' });
    expect(log).toEqual(['a released: fail:body']);
    const reasons: unknown[] = [];
    const released = Effect.acquireRelease(Effect.void, (_, exit) =>
      Effect.sync(() => reasons.push(Exit.isFailure(exit) && reasonFromCause(exit.cause))),
    );
    const cancelled = scope(async (s) => {
      await acquireIn(s, released);
      s.cancel('enough');
    });
    await cancelled.catch(() => {});
    expect(reasons).toEqual(['enough']);
  });

  test('makes a failure of the acquisition the failure of the task, and releases the acquired part at once', async () => {
    const log: string[] = [];
    await scope(async (s) => {
      s.defer(() => void log.push('defer'));
      const half = Effect.andThen(resource(log, 'a'), Effect.fail('refused'));
      expect(await rejection(acquireIn(s, half))).toBe('refused');
      log.push('body continues');
    });
    expect(log).toEqual(['a released: fail:refused', 'body continues', 'defer']);
    const unawaited = scope((s) => void acquireIn(s, Effect.fail('unawaited')));
    expect(await rejection(unawaited)).toBe('unawaited');
  });

  test('keeps a defect, and a release that fails as well', async () => {
    const bad = Effect.acquireRelease(Effect.void, () => Effect.die('release'));
    await scope(async (s) => {
      const error = await rejection(acquireIn(s, Effect.andThen(bad, Effect.die('acquire'))));
      expect((error as CauseError).errors).toEqual(['acquire', 'release']);
    });
  });

  test('makes each failure of the finalizers a failure of the scope, in order', async () => {
    const dying = (name: string) => Effect.addFinalizer(() => Effect.die(name));
    const failed = scope(async (s) => {
      s.defer(() => Promise.reject('outer'));
      await acquireIn(s, Effect.andThen(dying('third'), Effect.andThen(dying('second'), dying('first'))));
      s.defer(() => Promise.reject('inner'));
    });
    const error = (await rejection(failed)) as ScopeError;
    expect(error).toBeInstanceOf(ScopeError);
    expect(error.errors).toEqual(['inner', 'first', 'second', 'third', 'outer']);
    const one = scope(async (s) => void (await acquireIn(s, dying('alone'))));
    expect(await rejection(one)).toBe('alone');
  });

  test('counts a finalizer that fails with undefined as failed', async () => {
    const failed = scope(async (s) => {
      await acquireIn(
        s,
        Effect.addFinalizer(() => Effect.die(undefined)),
      );
    });
    expect(await rejection(failed)).toBe(undefined);
  });

  test('follows a thenable, and releases it in order, also when it rejects', async () => {
    const log: string[] = [];
    const acquire = (thenable: PromiseLike<string>) =>
      Effect.acquireRelease(
        Effect.sync(() => thenable),
        () => Effect.sync(() => void log.push('released')),
      );
    await scope(async (s) => {
      expect(await acquireIn(s, acquire(Promise.resolve('open')))).toBe('open');
      expect(await rejection(acquireIn(s, acquire(Promise.reject('refused'))))).toBe('refused');
      log.push('body');
    });
    expect(log).toEqual(['body', 'released', 'released']);
  });

  test('interrupts the acquisition on cancellation, and releases before the scope ends', async () => {
    const log: string[] = [];
    const gate = deferred();
    const slow = Effect.andThen(
      Effect.acquireRelease(Effect.void, () =>
        Effect.andThen(
          Effect.promise(() => gate.promise),
          Effect.sync(() => void log.push('released')),
        ),
      ),
      Effect.never,
    );
    const token = new CancellationToken();
    const running = scope((s) => acquireIn(s, slow), { signal: token });
    const settled = rejection(running).finally(() => log.push('settled'));
    token.cancel('deploy');
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    expect(await settled).toBe('deploy');
    expect(log).toEqual(['released', 'settled']);
  });

  test('is not stopped by an interruption during the release', async () => {
    const log: string[] = [];
    const stubborn = Effect.acquireRelease(Effect.void, () =>
      Effect.withFiber((fiber) => {
        fiber.interruptUnsafe();
        return Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => void log.push('whole')),
        );
      }),
    );
    await scope(async (s) => void (await acquireIn(s, stubborn)));
    expect(log).toEqual(['whole']);
  });

  test('releases a resource that arrives after the scope has given up, and rejects its task', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const gate = deferred();
    const late = Effect.andThen(Effect.uninterruptible(Effect.promise(() => gate.promise)), Effect.succeed('late'));
    let rejected: Promise<unknown> | undefined;
    const uncaught = await uncaughtIn(async () => {
      const running = rejection(
        scope(
          (s) => {
            const acquired = Effect.uninterruptible(
              Effect.andThen(
                late,
                Effect.acquireRelease(Effect.void, () =>
                  Effect.andThen(
                    Effect.sync(() => void log.push('released')),
                    Effect.die('release'),
                  ),
                ),
              ),
            );
            rejected = rejection(acquireIn(s, acquired));
            s.cancel('enough');
          },
          { cleanupTimeout: 10, clock },
        ),
      );
      await clock.advance(10);
      expect(await running).toMatchObject({ name: 'CleanupTimeoutError' });
      gate.resolve();
      await macrotasks(6);
    });
    expect(log).toEqual(['released']);
    expect(await rejected).toBe('release');
    expect(uncaught).toEqual([]);
  });

  test('releases nested scopes from the inside out', async () => {
    const log: string[] = [];
    await scope(async (outer) => {
      await acquireIn(outer, resource(log, 'outer'));
      await scope(async (inner) => void (await acquireIn(inner, resource(log, 'inner'))), { signal: outer.token });
      log.push('between');
    });
    expect(log.map((line) => line.split(' ')[0])).toEqual(['inner', 'between', 'outer']);
  });

  test('provides the given services beside its own scope', async () => {
    const Name = Context.Service<{ readonly name: string }>('Name');
    const log: string[] = [];
    const named = Effect.flatMap(Name, ({ name }) => resource(log, name));
    await scope(async (s) => {
      expect(await acquireIn(s, named, { context: Context.make(Name, { name: 'db' }), name: 'database' })).toBe('db');
    });
    expect(log).toEqual(['db released: success:undefined']);
  });

  test('throws when the scope has ended', async () => {
    let ended: Scope | undefined;
    await scope((s) => {
      ended = s;
    });
    expect(() => acquireIn(ended as Scope, Effect.void)).toThrow();
  });
});

describe('a release that is interrupted', () => {
  test('does not fail the scope', async () => {
    const interrupted = Effect.acquireRelease(Effect.succeed('open'), () => Effect.interrupt);
    expect(await scope((s) => acquireIn(s, interrupted))).toBe('open');
  });
});

describe('openScope', () => {
  test('ends in the order of the finalizers, cancels its tasks, and awaits them', async () => {
    const log: string[] = [];
    const program = Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(() => void log.push('first finalizer')));
      const s = yield* openScope({ name: 'opened' });
      s.defer(() => void log.push('outer defer'));
      s.defer(() => void log.push('inner defer'));
      s.spawn(async (token) => {
        await token.cancelled();
        await macrotasks();
        log.push('task');
      });
      yield* Effect.addFinalizer(() => Effect.sync(() => void log.push('last finalizer')));
    });
    await runEffect(Effect.scoped(program));
    expect(log).toEqual(['last finalizer', 'task', 'inner defer', 'outer defer', 'first finalizer']);
  });

  test('makes each failure a defect of the finalizer, beside the failure of the Effect', async () => {
    const program = Effect.gen(function* () {
      const s = yield* openScope();
      s.defer(() => Promise.reject('second'));
      s.defer(() => Promise.reject('first'));
      return yield* Effect.die('body');
    });
    expect(words(await run(Effect.scoped(program)))).toBe('die:body, die:first, die:second');
    const alone = Effect.andThen(openScope(), (s) => Effect.sync(() => s.defer(() => Promise.reject('alone'))));
    expect(words(await run(Effect.scoped(alone)))).toBe('die:alone');
  });

  test('makes each failure of an Effect in a cleanup a defect', async () => {
    const both = Effect.ensuring(Effect.fail('failure'), Effect.die('defect'));
    const program = Effect.andThen(openScope(), (s) => Effect.sync(() => s.defer(() => runEffect(both))));
    expect(words(await run(Effect.scoped(program)))).toBe('die:failure, die:defect');
  });

  test('cancels the tasks with the reason of an interruption', async () => {
    const token = new CancellationToken();
    const reasons: unknown[] = [];
    const program = Effect.andThen(openScope(), (s) => {
      s.spawn(async (own) => {
        await own.cancelled();
        reasons.push(own.reason);
      });
      return Effect.never;
    });
    const running = rejection(runEffect(Effect.scoped(program), { signal: token }));
    await macrotasks();
    token.cancel('deploy');
    expect(await running).toBe('deploy');
    expect(reasons).toEqual(['deploy']);
    const fiber = Effect.runFork(Effect.scoped(program));
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
  });

  test('is not stopped by an interruption during the cleanup', async () => {
    const gate = deferred();
    const log: string[] = [];
    const program = Effect.andThen(openScope(), (s) =>
      Effect.sync(() =>
        s.defer(async () => {
          await gate.promise;
          log.push('cleaned up');
        }),
      ),
    );
    const fiber = Effect.runFork(Effect.scoped(program));
    await macrotasks();
    fiber.interruptUnsafe();
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await exitOf(fiber);
    expect(log).toEqual(['cleaned up']);
  });

  test('can be joined before it ends', async () => {
    const program = Effect.gen(function* () {
      const s = yield* openScope();
      const task = s.spawn(async () => 'value');
      yield* effectFromWork(() => s.join());
      return yield* effectFromSource(task);
    });
    expect(await runEffect(Effect.scoped(program))).toBe('value');
  });
});

describe('effectFromScope', () => {
  test('succeeds with the result of its body, and fails with all failures', async () => {
    expect(words(await run(effectFromScope(async (s) => (await s.spawn(async () => 3)) + 4)))).toBe('success:7');
    const failing = effectFromScope((s) => {
      s.defer(() => Promise.reject('cleanup'));
      throw 'body';
    });
    expect(words(await run(failing))).toBe('fail:body, fail:cleanup');
    const typed = effectFromScope(() => Promise.reject('no'), { catch: (error) => `typed ${error}` });
    expect(words(await run(typed))).toBe('fail:typed no');
  });

  test('awaits everything that was started in the scope when it is interrupted', async () => {
    const log: string[] = [];
    const fiber = Effect.runFork(
      effectFromScope(async (s) => {
        s.defer(() => void log.push('cleanup'));
        s.spawn(async (token) => {
          await token.cancelled();
          await macrotasks();
          log.push('task');
        });
        await s.token.cancelled();
      }),
    );
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(log).toEqual(['task', 'cleanup']);
  });

  test('keeps the options of a scope', async () => {
    const clock = new VirtualClock();
    const slow = run(
      effectFromScope((s) => sleep(100, { clock }).then(() => s.token.throwIfCancelled()), {
        timeout: 10,
        clock,
        name: 'slow',
      }),
    );
    await clock.advance(100);
    expect(words(await slow)).toContain('10 ms');
  });

  test('runs a fiber as a task, which is cancelled with the scope and adds no failure of its own', async () => {
    const log: string[] = [];
    const work = Effect.ensuring(
      Effect.never,
      Effect.sync(() => void log.push('finalized')),
    );
    const error = await rejection(
      scope((s) => {
        s.spawn((signal) => runEffect(work, { signal }));
        s.spawn(() => Promise.reject('sibling'));
      }),
    );
    expect(error).toBe('sibling');
    expect(log).toEqual(['finalized']);
    expect(isClosedError(error)).toBe(false);
  });
});
