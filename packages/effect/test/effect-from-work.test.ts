import { CancellationToken, CancelledError, isCancelledError } from '@quiesce/cancellation-token';
import { effectFromWork, runEffect } from '@quiesce/effect';
import { scope } from '@quiesce/scope';
import { Cause, Effect, Exit, Fiber, References } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, rejection, run, turns, words } from './vocabulary.ts';

describe('effectFromWork', () => {
  test('succeeds with what the work returns, promise or not', async () => {
    expect(words(await run(effectFromWork(async () => 1)))).toBe('success:1');
    expect(words(await run(effectFromWork(() => 2)))).toBe('success:2');
  });

  test('fails with what the work rejects with or throws', async () => {
    expect(words(await run(effectFromWork(() => Promise.reject('no'))))).toBe('fail:no');
    const thrown = effectFromWork(() => {
      throw 'at once';
    });
    expect(words(await run(thrown))).toBe('fail:at once');
  });

  test('gives each failure the type that `catch` makes; one that throws is a defect', async () => {
    const typed = effectFromWork(() => Promise.reject('no'), { catch: (error) => ({ message: `typed ${error}` }) });
    expect(await Effect.runPromise(Effect.flip(typed))).toEqual({ message: 'typed no' });
    const hostile = effectFromWork(() => Promise.reject('no'), {
      catch: () => {
        throw 'in catch';
      },
    });
    expect(words(await run(hostile))).toBe('die:in catch');
  });

  test('keeps all failures of a scope, and all of an Effect inside', async () => {
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

  test('calls the work anew each time it runs', async () => {
    let calls = 0;
    const work = effectFromWork(() => ++calls);
    await run(work);
    expect(words(await run(work))).toBe('success:2');
  });

  test('refuses what is no function at once', () => {
    expect(() => effectFromWork(1 as never)).toThrow(TypeError);
  });
});

describe('an interruption', () => {
  test('is a cancelled token to the work, which is awaited', async () => {
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
    await turns();
    expect(log).toHaveLength(1);
    expect(isCancelledError(log[0])).toBe(true);
    expect(Cause.isCause((log[0] as CancelledError).cause)).toBe(true);
    gate.resolve();
    await interrupting;
    expect(log.slice(1)).toEqual(['cleaned up', 'interrupted']);
    expect(words(await exitOf(fiber))).toBe('interrupt');
  });

  test('passes the reason of the token behind it on, verbatim', async () => {
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

  test('hands a value that comes all the same to onLate, and awaits that', async () => {
    const gate = deferred<string>();
    const closed: string[] = [];
    const fiber = Effect.runFork(
      effectFromWork(() => gate.promise, {
        onLate: async (connection) => {
          await turns();
          closed.push(connection);
        },
      }),
    );
    fiber.interruptUnsafe();
    gate.resolve('connection');
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(closed).toEqual(['connection']);
  });

  test('keeps what onLate throws', async () => {
    const fiber = Effect.runFork(effectFromWork(async () => 1, { onLate: () => Promise.reject('late') }));
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt, die:late');
  });

  test('between the work and the fiber finds the value, and onLate gets it', async () => {
    const gate = deferred<string>();
    const late: string[] = [];
    const fiber = Effect.runFork(effectFromWork(() => gate.promise, { onLate: (value) => late.push(value) }));
    gate.resolve('decided');
    fiber.interruptUnsafe();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(late).toEqual(['decided']);
  });

  test('by the work itself, as it starts, awaits it all the same', async () => {
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

  test('between any two steps, where the scheduler makes a busy fiber yield, is an interruption and nothing else', async () => {
    for (let budget = 2; budget < 40; budget++) {
      const work = effectFromWork((token) => token.cancelled());
      const fiber = Effect.runFork(Effect.provideService(work, References.MaxOpsBeforeYield, budget));
      fiber.interruptUnsafe();
      expect(words(await exitOf(fiber))).toBe('interrupt');
    }
  });

  test('in an uninterruptible region is not told to the work', async () => {
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
    await turns();
    expect(token?.isCancelled).toBe(false);
    gate.resolve('whole');
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(seen).toEqual(['whole']);
  });

  test('that comes again during the cleanup changes nothing', async () => {
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
    await turns();
    gate.resolve();
    expect(words(await exitOf(fiber))).toContain('interrupt');
    expect(reasons).toHaveLength(1);
  });

  test('an AbortError of work whose token was not cancelled is a failure', async () => {
    const exit = await run(effectFromWork(() => Promise.reject(new CancelledError('own'))));
    expect(words(exit)).toBe('fail:own');
    expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(false);
  });
});
