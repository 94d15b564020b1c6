// The three laws again, with daemons, isolation, tasks that never end, cleanup timeouts and deadlines: random,
// on the virtual clock, compared with a naive record of the events.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, type SpawnOptions, scope } from '@quiesce/scope';
import { CleanupTimeoutError, select, sleep } from '@quiesce/select';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deaf, uncaughtIn } from './vocabulary.ts';

interface TaskPlan {
  ms: number;
  /** How long it takes to stop; `Infinity`: it never stops. */
  stops: number;
  fails: boolean;
  daemon: boolean;
  isolated: boolean;
  awaited: boolean;
  key: number | undefined;
}

interface Plan {
  body: { ms: number; fails: boolean };
  tasks: TaskPlan[];
  cleanups: { ms: number; fails: boolean }[];
  timeout: number;
  cancelAt: number | undefined;
}

const cleanupTimeout = 10;
const time = fc.nat(12);
const rarely = fc.integer({ min: 0, max: 5 }).map((n) => n === 0);
const plan: fc.Arbitrary<Plan> = fc.record({
  body: fc.record({ ms: time, fails: rarely }),
  tasks: fc.array(
    fc.record({
      ms: time,
      stops: fc.oneof({ weight: 4, arbitrary: fc.nat(14) }, fc.constant(Number.POSITIVE_INFINITY)),
      fails: rarely,
      daemon: rarely,
      isolated: fc.boolean(),
      awaited: rarely,
      key: fc.option(fc.nat(1), { nil: undefined, freq: 2 }),
    }),
    { maxLength: 5 },
  ),
  cleanups: fc.array(fc.record({ ms: fc.nat(14), fails: rarely }), { maxLength: 3 }),
  timeout: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(15)),
  cancelAt: fc.option(time, { nil: undefined }),
});

test('every task has ended or is named, every cleanup has started in order, and every error is somewhere', async () => {
  const seen = { named: 0, failed: 0, cancelled: 0, fulfilled: 0 };
  await fc.assert(
    fc.asyncProperty(plan, async ({ body, tasks, cleanups, timeout, cancelAt }) => {
      const clock = new VirtualClock();
      const pause = (ms: number): PromiseLike<void> => sleep(ms, { clock });
      const running = new Set<string>();
      const begun: number[] = [];
      const errors = new Set<unknown>();
      const handled = new Set<unknown>();
      let isStarted = false;
      let lastCancel = 0;
      const fail = (text: string): never => {
        const error = new Error(text);
        errors.add(error);
        throw error;
      };
      const options = { clock, cleanupTimeout, timeout, name: 'stress' };
      const run = scope(async (s) => {
        isStarted = true;
        for (const [i, { ms, fails }] of cleanups.entries()) {
          s.defer(
            async () => {
              begun.push(i);
              await pause(ms);
              if (fails) fail(`cleanup ${i}`);
            },
            { name: `cleanup ${i}` },
          );
        }
        for (const [i, { ms, stops, fails, daemon, isolated, awaited, key }] of tasks.entries()) {
          const name = `task ${i}`;
          const how: SpawnOptions = { name, daemon, key, onFailure: isolated ? 'isolate' : 'cancel' };
          const task = s.spawn(async (token) => {
            running.add(name);
            try {
              const outcome = await select.biased({ stopped: token, done: pause(ms) });
              if (outcome.branch === 'stopped') {
                lastCancel = Math.max(lastCancel, clock.now());
                // A task that is only replaced is awaited without limit, since the scope was not cancelled.
                if (stops === Number.POSITIVE_INFINITY && key === undefined) await deaf().work();
                await pause(Math.min(stops, 14));
              }
              if (fails) fail(name);
              token.throwIfCancelled();
            } finally {
              running.delete(name);
            }
          }, how);
          if (awaited) task.catch((error) => handled.add(error)).catch(() => {});
        }
        if (cancelAt !== undefined) void pause(cancelAt).then(() => s.cancel('stop'));
        await select.biased({ stopped: s.token, done: pause(body.ms) });
        if (body.fails) fail('body');
        s.token.throwIfCancelled();
        return 'value';
      }, options);
      let thrown: { error: unknown } | undefined;
      const uncaught = await uncaughtIn(async () => {
        await clock.run(() =>
          run.then(
            () => {},
            (error: unknown) => {
              thrown = { error };
            },
          ),
        );
      });
      const all = thrown === undefined ? [] : thrown.error instanceof ScopeError ? thrown.error.errors : [thrown.error];
      const given = all.find((error): error is CleanupTimeoutError => error instanceof CleanupTimeoutError);
      const named = given?.unfinished.map(({ name }) => name) ?? [];
      // Law 1: each running task is named, and none is named twice.
      expect([...running].filter((name) => !named.includes(name))).toEqual([]);
      expect(new Set(named).size).toBe(named.length);
      // Law 2: all of them, last in, first out.
      expect(begun).toEqual(isStarted ? cleanups.map((_, i) => i).reverse() : []);
      // Within a known time: after the last cancellation one timeout for the tasks, and one for each cleanup.
      expect(clock.now()).toBeLessThanOrEqual(Math.max(lastCancel, 15) + 14 + cleanupTimeout * (1 + cleanups.length));
      // No error is lost: it is thrown, claimed, or reported with the name of the abandoned work.
      const late = uncaught.map((error) => (error as Error).cause);
      for (const error of errors) expect(all.includes(error) || handled.has(error) || late.includes(error)).toBe(true);
      // No error is invented: the failures are the recorded ones, and otherwise there is at most one reason.
      if (all.some((error) => errors.has(error))) {
        for (const error of all) expect(errors.has(error) || error === given).toBe(true);
      } else {
        expect(all.length).toBeLessThan(2);
      }
      if (given !== undefined) seen.named++;
      else if (errors.size > 0) seen.failed++;
      else if (thrown === undefined) seen.fulfilled++;
      else seen.cancelled++;
    }),
    { numRuns: 250 },
  );
  // The plans must cover every case, or the test shows nothing.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(5);
}, 60_000);
