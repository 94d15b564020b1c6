import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { CauseError, reasonFromCause, runEffect } from '@quiesce/effect';
import { Cause, Context, Deferred, Effect, Exit } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, macrotask, macrotasks, rejection, unhandledIn } from './vocabulary.ts';

const fail = (error: unknown): Effect.Effect<never, unknown> => Effect.fail(error);

describe('runEffect without a cancellation', () => {
  test('resolves with the success of the Effect', async () => {
    expect(await runEffect(Effect.succeed(42))).toBe(42);
    expect(await runEffect(Effect.andThen(Effect.yieldNow, Effect.succeed('later')))).toBe('later');
  });

  test('rejects with the failure or the defect, verbatim', async () => {
    const error = { any: 'thing' };
    expect(await rejection(runEffect(fail(error)))).toBe(error);
    expect(await rejection(runEffect(Effect.die(error)))).toBe(error);
    const thrown = Effect.sync(() => {
      throw error;
    });
    expect(await rejection(runEffect(thrown))).toBe(error);
  });

  test('rejects with all of several failures, in order', async () => {
    const work = Effect.ensuring(Effect.ensuring(Effect.fail('work'), Effect.die('first')), Effect.die('second'));
    const error = (await rejection(runEffect(work))) as CauseError;
    expect(error).toBeInstanceOf(CauseError);
    expect([error.name, error.code, error.errors]).toEqual(['CauseError', 'ERR_CAUSE', ['work', 'first', 'second']]);
    expect(Cause.isCause(error.cause)).toBe(true);
  });

  test('rejects with an error that carries the cause when other code interrupted the Effect', async () => {
    const error = await rejection(runEffect(Effect.interrupt));
    expect(isCancelledError(error)).toBe(true);
    expect(Cause.hasInterruptsOnly((error as Error).cause as Cause.Cause<never>)).toBe(true);
  });

  test('rejects for an empty cause', async () => {
    expect(await rejection(runEffect(Effect.failCause(Cause.empty)))).toMatchObject({ name: 'CauseError', errors: [] });
  });

  test('provides the services to the Effect', async () => {
    const Name = Context.Service<{ readonly name: string }>('Name');
    const work = Effect.map(Name, ({ name }) => name);
    expect(await runEffect(work, { context: Context.make(Name, { name: 'here' }) })).toBe('here');
  });

  test('leaves nothing on the token', async () => {
    const token = new CancellationToken();
    await runEffect(Effect.yieldNow, { signal: token });
    await rejection(runEffect(Effect.andThen(Effect.yieldNow, fail('no')), { signal: token }));
    let fired = 0;
    token.onCancelled(() => fired++);
    token.cancel();
    expect(fired).toBe(1);
  });

  test('rejects for a value that is not a signal', async () => {
    expect(await rejection(runEffect(Effect.void, { signal: {} as AbortSignal }))).toBeInstanceOf(TypeError);
  });
});

describe('runEffect with a token', () => {
  test.each([
    [
      'a token',
      (): [CancellationToken, (reason: unknown) => unknown] => {
        const token = new CancellationToken();
        return [token, (reason) => token.cancel(reason)];
      },
    ],
    [
      'an AbortSignal',
      (): [AbortSignal, (reason: unknown) => unknown] => {
        const controller = new AbortController();
        return [controller.signal, (reason) => controller.abort(reason)];
      },
    ],
  ])('is interrupted by %s, awaits the finalizers, and rejects with the reason', async (_, make) => {
    const [signal, cancel] = make();
    const gate = deferred();
    const log: string[] = [];
    const cleanup = Effect.andThen(
      Effect.promise(() => gate.promise),
      Effect.sync(() => log.push('cleaned up')),
    );
    const running = runEffect(Effect.ensuring(Effect.never, cleanup), { signal });
    const settled = rejection(running).finally(() => log.push('settled'));
    const reason = { why: 'deploy' };
    cancel(reason);
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    expect(await settled).toBe(reason);
    expect(log).toEqual(['cleaned up', 'settled']);
  });

  test('does not start when the token is already cancelled', async () => {
    let started = false;
    const work = Effect.sync(() => {
      started = true;
    });
    const running = runEffect(work, { signal: CancellationToken.alreadyCancelled('before') });
    expect(await rejection(running)).toBe('before');
    expect(started).toBe(false);
  });

  test('interrupts an Effect that cancels the token at its start', async () => {
    const token = new CancellationToken();
    const work = Effect.andThen(
      Effect.sync(() => token.cancel('own')),
      Effect.never,
    );
    expect(await rejection(runEffect(work, { signal: token }))).toBe('own');
  });

  test('keeps the result of an Effect that ends in the step that cancels the token', async () => {
    const token = new CancellationToken();
    expect(
      await runEffect(
        Effect.sync(() => token.cancel()),
        { signal: token },
      ),
    ).toBe(true);
  });

  test('resolves with the value of an Effect that ends in the step in which it is interrupted', async () => {
    const token = new CancellationToken();
    const last = Effect.callback<string>((resume) => {
      token.onCancelled(() => resume(Effect.succeed('in time')));
    });
    const running = runEffect(last, { signal: token });
    token.cancel('late');
    // The callback of the Effect was registered first, so the fiber has ended when this function runs.
    expect(await running).toBe('in time');
  });

  test('ends an uninterruptible region before it interrupts', async () => {
    const token = new CancellationToken();
    const gate = deferred();
    const log: string[] = [];
    const inside = Effect.andThen(
      Effect.promise(() => gate.promise),
      Effect.sync(() => log.push('inside')),
    );
    const work = Effect.andThen(
      Effect.uninterruptible(inside),
      Effect.sync(() => log.push('behind')),
    );
    const running = rejection(runEffect(work, { signal: token }));
    token.cancel('now');
    gate.resolve();
    expect(await running).toBe('now');
    expect(log).toEqual(['inside']);
  });

  test('rejects with the failure of a finalizer, and with all of several', async () => {
    for (const [cleanups, errors] of [
      [['a'], undefined],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    ] as const) {
      const token = new CancellationToken();
      const work = cleanups.reduce<Effect.Effect<never>>(
        (inner, name) => Effect.ensuring(inner, Effect.die(name)),
        Effect.never,
      );
      const running = rejection(runEffect(work, { signal: token }));
      token.cancel('stop');
      const error = await running;
      if (errors === undefined) expect(error).toBe('a');
      else expect((error as CauseError).errors).toEqual(errors);
    }
  });

  test('rejects with a failure that came before the cancellation', async () => {
    const token = new CancellationToken();
    const running = rejection(runEffect(Effect.andThen(Effect.yieldNow, fail('first')), { signal: token }));
    await macrotasks();
    token.cancel('second');
    expect(await running).toBe('first');
  });

  test('passes the reason to the fiber', async () => {
    const token = new CancellationToken();
    const seen: unknown[] = [];
    const work = Effect.onExit(Effect.never, (exit) =>
      Effect.sync(() => seen.push(Exit.isFailure(exit) && reasonFromCause(exit.cause))),
    );
    const running = rejection(runEffect(work, { signal: token }));
    token.cancel('maintenance');
    await running;
    expect(seen).toEqual(['maintenance']);
  });

  test('passes the reason also when other code interrupts as well', async () => {
    const token = new CancellationToken();
    const causes: Cause.Cause<unknown>[] = [];
    const work = Effect.onError(Effect.never, (cause) => Effect.sync(() => void causes.push(cause)));
    const running = rejection(runEffect(work, { signal: token }));
    token.cancel('maintenance');
    await running;
    const both = causes.reduce((all, one) => Cause.combine(all, one), Cause.interrupt(1) as Cause.Cause<unknown>);
    expect(both.reasons).toHaveLength(2);
    expect(reasonFromCause(both)).toBe('maintenance');
  });

  test('rejects with the reason when the interruption came through another fiber', async () => {
    const token = new CancellationToken();
    const interrupting = Effect.callback<never>((resume) => void token.onCancelled(() => resume(Effect.interrupt)));
    const running = rejection(runEffect(Effect.uninterruptible(interrupting), { signal: token }));
    token.cancel('maintenance');
    expect(await running).toBe('maintenance');
  });

  test('interrupts the fibers that the Effect has forked, and awaits them', async () => {
    const token = new CancellationToken();
    const log: string[] = [];
    const child = Effect.ensuring(
      Effect.never,
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => log.push('child')),
      ),
    );
    const work = Effect.andThen(Effect.forkChild(child, { startImmediately: true }), Effect.never);
    const running = rejection(runEffect(work, { signal: token }));
    await macrotask();
    token.cancel('all');
    expect(await running).toBe('all');
    expect(log).toEqual(['child']);
  });

  test('ignores a second cancellation of an ancestor during the cleanup', async () => {
    const outer = new CancellationToken();
    const token = outer.childToken();
    const gate = deferred();
    const running = rejection(
      runEffect(
        Effect.ensuring(
          Effect.never,
          Effect.promise(() => gate.promise),
        ),
        { signal: token },
      ),
    );
    token.cancel('first');
    outer.cancel('second');
    gate.resolve();
    expect(await running).toBe('first');
  });

  test('ignores an interruption from inside during the cleanup', async () => {
    const token = new CancellationToken();
    const log: string[] = [];
    const cleanup = Effect.withFiber((fiber) =>
      Effect.andThen(
        Effect.sync(() => fiber.interruptUnsafe(1)),
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => log.push('whole')),
        ),
      ),
    );
    const running = rejection(runEffect(Effect.ensuring(Effect.never, cleanup), { signal: token }));
    token.cancel('outside');
    expect(await running).toBe('outside');
    expect(log).toEqual(['whole']);
  });

  test('moves the Effect to the parent of a token that is disposed', async () => {
    const outer = new CancellationToken();
    const token = outer.childToken();
    const running = rejection(runEffect(Effect.never, { signal: token }));
    token.dispose();
    outer.cancel('parent');
    expect(await running).toBe('parent');
  });

  test('reports no rejection that comes late to other code', async () => {
    const token = new CancellationToken();
    const unhandled = await unhandledIn(async () => {
      const inner = Deferred.makeUnsafe<never, string>();
      const running = rejection(runEffect(Deferred.await(inner), { signal: token }));
      token.cancel('gone');
      Deferred.doneUnsafe(inner, Exit.fail('too late'));
      expect(await running).toBe('gone');
    });
    expect(unhandled).toEqual([]);
  });
});
