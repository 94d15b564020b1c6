import { CancellationToken, CancelledError, isCancelledError } from '@quiesce/cancellation-token';
import { effectFromWork, runEffect } from '@quiesce/effect';
import { scope } from '@quiesce/scope';
import { Cause, Effect, Exit, Fiber, References } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, rejection, run, words } from './vocabulary.ts';

describe('effectFromWork', () => {
  test('succeeds with the result of the work, promise or not', async () => {
    expect(words(await run(effectFromWork(async () => 1)))).toBe('success:1');
    expect(words(await run(effectFromWork(() => 2)))).toBe('success:2');
  });

  test('fails with the error that the work throws or rejects with', async () => {
    expect(words(await run(effectFromWork(() => Promise.reject('no'))))).toBe('fail:no');
    const thrown = effectFromWork(() => {
      throw 'at once';
    });
    expect(words(await run(thrown))).toBe('fail:at once');
  });

  test('gives each failure the type that `catch` returns; an error of `catch` is a defect', async () => {
    const typed = effectFromWork(() => Promise.reject('no'), { catch: (error) => ({ message: `typed ${error}` }) });
    expect(await Effect.runPromise(Effect.flip(typed))).toEqual({ message: 'typed no' });
    const hostile = effectFromWork(() => Promise.reject('no'), {
      catch: () => {
        throw 'in catch';
      },
    });
    expect(words(await run(hostile))).toBe('die:in catch');
  });

  test('keeps all failures of a scope, and all failures of a nested Effect', async () => {
    const work = effectFromWork(() =>
      scope((s) => {
        s.defer(() => Promise.reject('cleanup'));
        throw 'body';
      }),
    );
    expect(words(await run(work))).toBe('fail:body, fail:cleanup');
    const inside = Effect.ensuring(Effect.fail('work'), Effect.die('defect'));
    const outside = await run(effectFromWork(() => runEffect(inside)));
    const direct = await run(inside);
    expect(words(outside)).toBe(words(direct));
  });

  test('calls the work each time it runs', async () => {
    let calls = 0;
    const work = effectFromWork(() => ++calls);
    await run(work);
    expect(words(await run(work))).toBe('success:2');
  });

  test('throws for a value that is not a function, before it runs', () => {
    expect(() => effectFromWork(1 as never)).toThrow(TypeError);
  });
});

describe('an interruption', () => {
  test('cancels the token of the work, and awaits the work', async () => {
    const gate = deferred();
    const log: unknown[] = [];
    const fiber = Effect.runFork(
      effectFromWork(async (token) => {
        await token.cancelled();
        log.push(token.reason);
        await gate.promise;
        log.push('cleaned up');
        token.throwIfCancelled();
      }),
    );
    const interrupting = Effect.runPromise(Fiber.interrupt(fiber)).then(() => log.push('interrupted'));
    await macrotasks();
    expect(log).toHaveLength(1);
    expect(isCancelledError(log[0])).toBe(true);
    expect(Cause.isCause((log[0] as CancelledError).cause)).toBe(true);
    gate.resolve();
    await interrupting;
    expect(log.slice(1)).toEqual(['cleaned up', 'interrupted']);
    expect(words(await exitOf(fiber))).toBe('interrupt');
  });

  test('passes on the reason of the token that interrupted the fiber, verbatim', async () => {
    const outer = new CancellationToken();
    let seen: unknown;
    const work = effectFromWork(async (token) => {
      await token.cancelled();
      seen = token.reason;
    });
    const running = rejection(runEffect(work, { signal: outer }));
    const reason = { why: 'deploy' };
    outer.cancel(reason);
    expect(await running).toBe(reason);
    expect(seen).toBe(reason);
  });

  test('keeps an error of the cleanup as a defect, also below handlers that it skips', async () => {
    const work = effectFromWork(async (token) => {
      await token.cancelled();
      throw new Error('disk full');
    });
    const handled = Effect.mapError(
      Effect.catch(work, () => Effect.succeed('recovered')),
      () => 'mapped',
    );
    const fiber = Effect.runFork(Effect.retry(handled, { times: 3 }));
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt, die:disk full');
  });

  test('keeps all errors of a scope that cleans up', async () => {
    const fiber = Effect.runFork(
      effectFromWork((signal) =>
        scope(
          async (s) => {
            s.defer(() => Promise.reject('second'));
            s.defer(() => Promise.reject('first'));
            await s.token.cancelled();
          },
          { signal },
        ),
      ),
    );
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt, die:first, die:second');
  });

  test('passes a late value to onLate, and awaits onLate', async () => {
    const gate = deferred<string>();
    const closed: string[] = [];
    const fiber = Effect.runFork(
      effectFromWork(() => gate.promise, {
        onLate: async (connection) => {
          await macrotasks();
          closed.push(connection);
        },
      }),
    );
    fiber.interruptUnsafe();
    gate.resolve('connection');
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(closed).toEqual(['connection']);
  });

  test('keeps the error that onLate throws', async () => {
    const fiber = Effect.runFork(effectFromWork(async () => 1, { onLate: () => Promise.reject('late') }));
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt, die:late');
  });

  test('passes the value to onLate when it comes between the end of the work and the fiber', async () => {
    const gate = deferred<string>();
    const late: string[] = [];
    const fiber = Effect.runFork(effectFromWork(() => gate.promise, { onLate: (value) => late.push(value) }));
    gate.resolve('decided');
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(late).toEqual(['decided']);
  });

  test('awaits the work when the work causes it at its start', async () => {
    const log: string[] = [];
    const fiber = Effect.runFork(
      Effect.withFiber((own) =>
        effectFromWork(async (token) => {
          own.interruptUnsafe();
          log.push(String(token.isCancelled));
          await token.cancelled();
          log.push('obeyed');
        }),
      ),
    );
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(log).toEqual(['false', 'obeyed']);
  });

  test('is only an interruption when it comes between any two steps where the scheduler makes a busy fiber yield', async () => {
    for (let budget = 2; budget < 40; budget++) {
      const work = effectFromWork((token) => token.cancelled());
      const fiber = Effect.runFork(Effect.provideService(work, References.MaxOpsBeforeYield, budget));
      fiber.interruptUnsafe();
      expect(words(await exitOf(fiber))).toBe('interrupt');
    }
  });

  test('does not cancel the token of the work in an uninterruptible region', async () => {
    const gate = deferred<string>();
    let token: CancellationToken | undefined;
    const work = effectFromWork((given) => {
      token = given;
      return gate.promise;
    });
    const seen: string[] = [];
    const fiber = Effect.runFork(
      Effect.uninterruptible(Effect.tap(work, (value) => Effect.sync(() => seen.push(value)))),
    );
    fiber.interruptUnsafe();
    await macrotasks();
    expect(token?.isCancelled).toBe(false);
    gate.resolve('whole');
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(seen).toEqual(['whole']);
  });

  test('changes nothing when it comes again during the cleanup', async () => {
    const gate = deferred();
    const reasons: unknown[] = [];
    const fiber = Effect.runFork(
      effectFromWork(async (token) => {
        token.onCancelled((reason) => reasons.push(reason));
        await gate.promise;
      }),
    );
    fiber.interruptUnsafe(1);
    fiber.interruptUnsafe(2);
    await macrotasks();
    gate.resolve();
    expect(words(await exitOf(fiber))).toContain('interrupt');
    expect(reasons).toHaveLength(1);
  });

  test('does not cover an AbortError of work whose token was not cancelled: that is a failure', async () => {
    const exit = await run(effectFromWork(() => Promise.reject(new CancelledError('own'))));
    expect(words(exit)).toBe('fail:own');
    expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(false);
  });
});
