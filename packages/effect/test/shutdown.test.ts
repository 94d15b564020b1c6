import { CancellationToken, isClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { reasonFromCause, runEffect } from '@quiesce/effect';
import { CurrentShutdown, inFlight, launch, shutdownHook, shutdownLayer } from '@quiesce/effect/node';
import { Shutdown, type ShutdownOptions } from '@quiesce/shutdown';
import { Context, Effect, Exit, Fiber, Layer, References } from 'effect';
import { describe, expect, test } from 'vitest';
import { deferred, exitOf, macrotasks, rejection, run, words } from './vocabulary.ts';

/** Makes a shutdown on a virtual clock, and a log. */
function start(options: ShutdownOptions = {}) {
  const clock = new VirtualClock();
  const shutdown = new Shutdown({ clock, progressInterval: Number.POSITIVE_INFINITY, ...options });
  const log: string[] = [];
  const end = () => clock.run(() => shutdown.stopped());
  return { clock, shutdown, log, say: (what: string) => Effect.sync(() => void log.push(what)), end };
}

const Db = Context.Service<{ readonly query: (sql: string) => string }>('Db');
/** Makes a layer that logs its finalizer and the exit with which it ran. */
const database = (log: string[]) =>
  Layer.effect(
    Db,
    Effect.acquireRelease(Effect.succeed({ query: (sql: string) => `answer to ${sql}` }), (_, exit) =>
      Effect.sync(() => void log.push(`db closed: ${Exit.isFailure(exit) ? reasonFromCause(exit.cause) : 'success'}`)),
    ),
  );

describe('launch', () => {
  test('closes the layers when no work is in flight, after the hooks that they registered', async () => {
    const { shutdown, log, say, end } = start();
    const gate = deferred();
    const server = Layer.effectDiscard(
      Effect.gen(function* () {
        yield* Db;
        yield* shutdownHook('server', say('server hook'));
        yield* Effect.addFinalizer(() => say('server closed'));
      }),
    );
    const context = await launch(shutdown, Layer.provideMerge(server, database(log)));
    const request = inFlight(
      'request',
      Effect.gen(function* () {
        const { query } = yield* Db;
        yield* Effect.promise(() => gate.promise);
        log.push(query('select 1'));
      }),
    );
    const serving = runEffect(request, { context });
    expect(shutdown.progress.inFlightCount).toBe(1);
    shutdown.request('deploy');
    const ended = end();
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await serving;
    const report = await ended;
    expect(log).toEqual(['answer to select 1', 'server hook', 'server closed', 'db closed: deploy']);
    expect(report.exitCode).toBe(0);
  });

  test('interrupts work in flight at the drain timeout, with the reason, and awaits it', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100 });
    const context = await launch(shutdown, database(log));
    const reasons: unknown[] = [];
    const stuck = Effect.onExit(Effect.never, (exit) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.andThen(
          say('request cleaned up'),
          Effect.sync(() => reasons.push(Exit.isFailure(exit) && reasonFromCause(exit.cause))),
        ),
      ),
    );
    const fiber = Effect.runFork(Effect.provideContext(inFlight('stuck', stuck), context));
    shutdown.request('deploy');
    const report = await end();
    expect(words(await exitOf(fiber))).toBe('interrupt');
    expect(reasons).toEqual(['deploy']);
    expect(log).toEqual(['request cleaned up', 'db closed: deploy']);
    expect(report.cutOff.map(({ inFlightCount }) => inFlightCount)).toEqual([1]);
  });

  test('rejects with the failure of a layer, closes the layers that were built, and removes the hook', async () => {
    const { shutdown, log, end } = start();
    const broken = Layer.effectDiscard(Effect.andThen(Db, Effect.fail('no port')));
    expect(await rejection(launch(shutdown, Layer.provideMerge(broken, database(log))))).toBe('no port');
    expect(log).toHaveLength(1);
    shutdown.request();
    const report = await end();
    expect(report.hooks).toEqual([]);
    const defect = Layer.effectDiscard(Effect.die('defect'));
    const again = start();
    expect(await rejection(launch(again.shutdown, defect))).toBe('defect');
  });

  test('rejects with all failures when the layers of a failed start fail to close, and waits for a slow close', async () => {
    const { shutdown, log, end } = start();
    const gate = deferred();
    const slow = Layer.effectDiscard(
      Effect.addFinalizer(() =>
        Effect.andThen(
          Effect.promise(() => gate.promise),
          Effect.die('would not close'),
        ),
      ),
    );
    const broken = Layer.effectDiscard(Effect.fail('no port'));
    const launching = rejection(launch(shutdown, Layer.provideMerge(broken, slow)));
    await macrotasks();
    shutdown.request();
    const ended = end().then(() => log.push('stopped'));
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    expect(await launching).toMatchObject({ errors: ['no port', 'would not close'] });
    await ended;
  });

  test('interrupts the building when a shutdown begins, and closes the layers that were built', async () => {
    const { shutdown, log, end } = start();
    const slow = Layer.effectDiscard(Effect.andThen(Db, Effect.never));
    const launching = rejection(launch(shutdown, Layer.provideMerge(slow, database(log))));
    await macrotasks();
    shutdown.request('impatient');
    await end();
    expect(await launching).toBe('impatient');
    expect(log).toEqual(['db closed: impatient']);
  });

  test('gives up on a layer at the timeout of the hook, and reports one that fails to close', async () => {
    const { shutdown, end } = start({ hookTimeout: 50 });
    await launch(shutdown, Layer.effectDiscard(Effect.addFinalizer(() => Effect.never)), { name: 'deaf' });
    await launch(shutdown, Layer.effectDiscard(Effect.addFinalizer(() => Effect.die('finalizer'))), { name: 'broken' });
    shutdown.request();
    const { hooks, exitCode } = await end();
    const outcomes = Object.fromEntries(hooks.map(({ name, outcome, error }) => [name, [outcome, error]]));
    expect(outcomes).toEqual({ deaf: ['timed out', undefined], broken: ['failed', 'finalizer'] });
    expect(exitCode).toBe(1);
  });

  test('rejects for a name that is taken, and for a shutdown that is over', async () => {
    const { shutdown, end } = start();
    await launch(shutdown, Layer.empty);
    expect(await rejection(launch(shutdown, Layer.empty))).toMatchObject({ name: 'HookError' });
    shutdown.request();
    await end();
    expect(isClosedError(await rejection(launch(shutdown, Layer.empty, { name: 'late' })))).toBe(true);
  });

  test('provides the services that the layers still need', async () => {
    const { shutdown } = start();
    const Name = Context.Service<{ readonly name: string }>('Name');
    const Greeting = Context.Service<{ readonly text: string }>('Greeting');
    const greeting = Layer.effect(
      Greeting,
      Effect.map(Name, ({ name }) => ({ text: `hello ${name}` })),
    );
    const context = await launch(shutdown, greeting, { context: Context.make(Name, { name: 'you' }) });
    expect(Context.get(context, Greeting).text).toBe('hello you');
    expect(Context.get(context, CurrentShutdown)).toBe(shutdown);
  });
});

describe('shutdownLayer', () => {
  test('runs the whole shutdown when it closes: work in flight, hooks, layers', async () => {
    const log: string[] = [];
    const gate = deferred();
    const program = Effect.gen(function* () {
      const shutdown = yield* CurrentShutdown;
      const request = inFlight(
        'request',
        Effect.andThen(
          Effect.promise(() => gate.promise),
          Effect.sync(() => void log.push('served')),
        ),
      );
      yield* Effect.forkDetach(request, { startImmediately: true });
      yield* shutdownHook(
        'queue',
        Effect.sync(() => void log.push(`queue flushed in ${shutdown.state}`)),
      );
    });
    const running = runEffect(Effect.provide(program, shutdownLayer(database(log))));
    await macrotasks();
    expect(log).toEqual([]);
    gate.resolve();
    await running;
    expect(log.slice(0, 2)).toEqual(['served', 'queue flushed in cleanup']);
    expect(log[2]).toContain('db closed: ');
  });

  test('makes each failure of a hook a defect when it closes', async () => {
    const program = Effect.gen(function* () {
      yield* shutdownHook('second', Effect.fail('second'));
      yield* shutdownHook('first', Effect.ensuring(Effect.fail('first'), Effect.die('and cleanup')));
      return yield* Effect.fail('program');
    });
    const exit = await run(Effect.provide(program, shutdownLayer(Layer.empty)));
    // Effect 4.1 turns a failure beside defects into a defect; 4.0 does not.
    const found = words(exit).replace('fail:program', 'die:program').split(', ').sort();
    expect(found).toEqual(['die:and cleanup', 'die:first', 'die:program', 'die:second'].sort());
  });

  test('makes work that was given up or skipped a defect that names it', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const program = Effect.gen(function* () {
      yield* shutdownHook(
        'deaf',
        Effect.ensuring(
          Effect.never,
          Effect.sync(() => void log.push('interrupted')),
        ),
      );
      return 'value';
    });
    const layer = shutdownLayer(Layer.empty, { clock, hookTimeout: 50, progressInterval: Number.POSITIVE_INFINITY });
    const running = run(Effect.provide(program, layer));
    await macrotasks();
    await clock.advance(50);
    await macrotasks();
    expect(words(await running)).toMatch(/^die:The shutdown did not finish all its work:.*deaf/s);
    expect(log).toEqual(['interrupted']);
  });

  test('uses the reason of an interruption as the reason of the shutdown', async () => {
    const reasons: unknown[] = [];
    const program = Effect.flatMap(CurrentShutdown, (shutdown) => {
      shutdown.stopAccepting.onCancelled((reason) => reasons.push(reason));
      return Effect.never;
    });
    const fiber = Effect.runFork(Effect.provide(program, shutdownLayer(Layer.empty)));
    await macrotasks();
    await Effect.runPromise(Fiber.interrupt(fiber));
    expect(reasons).toMatchObject([{ name: 'AbortError' }]);
    const token = new CancellationToken();
    const rejected = rejection(runEffect(Effect.provide(program, shutdownLayer(Layer.empty)), { signal: token }));
    await macrotasks();
    token.cancel('deploy');
    expect(await rejected).toBe('deploy');
    expect(reasons[1]).toBe('deploy');
  });

  test('listens to the process during its life when `install` is set', async () => {
    const before = process.listenerCount('SIGUSR1');
    const program = Effect.sync(() => process.listenerCount('SIGUSR1') - before);
    const install = { signals: ['SIGUSR1'], errors: false, disconnect: false, reportSignal: false } as const;
    expect(await runEffect(Effect.provide(program, shutdownLayer(Layer.empty, { install })))).toBe(1);
    expect(process.listenerCount('SIGUSR1')).toBe(before);
  });

  test('drains the application on a signal of the process, through its tokens', async () => {
    const log: string[] = [];
    const program = Effect.gen(function* () {
      const shutdown = yield* CurrentShutdown;
      process.kill(process.pid, 'SIGUSR1');
      yield* Effect.promise(() => shutdown.stopAccepting.cancelled().then(() => log.push('cancelled')));
      yield* Effect.promise(() => shutdown.stopped());
    });
    const install = { signals: ['SIGUSR1'], errors: false, disconnect: false, reportSignal: false } as const;
    await runEffect(Effect.provide(program, shutdownLayer(database(log), { install })));
    expect(log[0]).toBe('cancelled');
    expect(log[1]).toContain('SIGUSR1');
  });
});

describe('an interruption between two steps, where the scheduler makes a busy fiber yield,', () => {
  // The budget of the fiber ends at each step in succession; a budget of 1 is too small for Effect itself.
  const budgets = Array.from({ length: 60 }, (_, index) => index + 2);
  const busy = <A, E>(work: Effect.Effect<A, E>, budget: number): Fiber.Fiber<A, E> =>
    Effect.runFork(Effect.provideService(work, References.MaxOpsBeforeYield, budget));

  test('leaves nothing of the work in flight on the shutdown', async () => {
    for (const budget of budgets) {
      const { shutdown, end } = start({ drainTimeout: 0 });
      const fiber = busy(Effect.provideService(inFlight('work', Effect.never), CurrentShutdown, shutdown), budget);
      fiber.interruptUnsafe();
      await exitOf(fiber);
      let polls = 0;
      const ended = Object.assign(fiber, { pollUnsafe: () => void polls++ });
      shutdown.request();
      shutdown.force();
      await end();
      expect([ended, polls]).toEqual([fiber, 0]);
    }
  });

  test('does not make a shutdownLayer wait for layers that were not built', async () => {
    for (const budget of budgets) {
      const fiber = busy(Effect.provide(Effect.never, shutdownLayer(Layer.effectDiscard(Effect.void))), budget);
      fiber.interruptUnsafe();
      expect(words(await exitOf(fiber))).toBe('interrupt');
    }
  });
});

describe('inFlight', () => {
  test('is counted until its finalizers have run, however it ends', async () => {
    const { shutdown } = start();
    const counts: number[] = [];
    const count = Effect.sync(() => void counts.push(shutdown.progress.inFlightCount));
    for (const end of [Effect.void, Effect.fail('no'), Effect.die('defect'), Effect.interrupt]) {
      const work = inFlight('work', Effect.ensuring(end, Effect.andThen(Effect.yieldNow, count)));
      await run(Effect.provideService(work, CurrentShutdown, shutdown));
      counts.push(shutdown.progress.inFlightCount);
    }
    expect(counts).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
  });

  test('does not start when the time for work is over', async () => {
    const { shutdown, end, log, say } = start();
    shutdown.request();
    await end();
    const late = Effect.provideService(inFlight('late', say('started')), CurrentShutdown, shutdown);
    expect(words(await run(late))).toBe('interrupt');
    expect(log).toEqual([]);
  });
});
