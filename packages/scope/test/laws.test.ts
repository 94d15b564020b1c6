// The three laws, over random trees of scopes on the virtual clock: random failures, reactions to cancellation, and cleanups.
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** Work that takes time. */
interface Work {
  ms: number;
  /** How long it keeps running after its cancellation; `undefined`: it ignores that. */
  cleanup: number | undefined;
  fails: boolean;
}

interface TaskPlan extends Work {
  /** A scope that the task runs before its own work. */
  inner: ScopePlan | undefined;
}

interface ScopePlan {
  body: Work;
  tasks: TaskPlan[];
  cleanups: { ms: number; fails: boolean }[];
  /** The task that the body awaits at its end, and whether it catches the error. */
  awaits: { task: number; catches: boolean } | undefined;
}

/** The recorded events of one scope. */
class Record {
  started = false;
  fulfilled = false;
  /** Whether the scope was cancelled before it could see, a microtask later, that its body had fulfilled. */
  cancelledBefore = false;
  running = 0;
  cleaning = 0;
  readonly cleaned: number[] = [];
  /** Every failure, in order, each once. */
  readonly failures: unknown[] = [];
  settled = false;

  fail(error: unknown): never {
    if (!this.failures.includes(error)) this.failures.push(error);
    throw error;
  }
}

class World {
  readonly clock = new VirtualClock();
  readonly records: Record[] = [];
  errors = 0;
  /** The broken expectations. Kept aside, since a scope would take an error for a failure of its own. */
  readonly broken: unknown[] = [];

  check(law: () => void): void {
    try {
      law();
    } catch (error) {
      this.broken.push(error);
    }
  }

  async work({ ms, cleanup, fails }: Work, token: CancellationToken, record: Record): Promise<void> {
    const { clock } = this;
    const stopped = cleanup === undefined ? undefined : token;
    const outcome = await select.biased({ stopped, done: sleep(ms, { clock }) });
    if (outcome.branch === 'stopped') await sleep(cleanup as number, { clock });
    if (fails) record.fail(new Error(`error ${this.errors++}`));
    if (outcome.branch === 'stopped') throw outcome.value;
  }

  async task({ inner, ...work }: TaskPlan, token: CancellationToken, record: Record): Promise<void> {
    record.running++;
    try {
      if (inner !== undefined) await this.inner(inner, token, record);
      await this.work(work, token, record);
    } finally {
      record.running--;
    }
  }

  async inner(plan: ScopePlan, token: CancellationToken, outer: Record): Promise<void> {
    const record = new Record();
    try {
      await this.scope(plan, token, record);
    } catch (error) {
      // An inner scope that rejects with a cancellation causes no failure here.
      if (record.failures.length === 0) throw error;
      outer.fail(error);
    }
  }

  async body(plan: ScopePlan, record: Record, s: Parameters<Parameters<typeof scope>[0]>[0]): Promise<string> {
    record.started = true;
    for (const [i, cleanup] of plan.cleanups.entries()) s.defer(() => this.cleanup(i, cleanup, record));
    const tasks = plan.tasks.map((task) => s.spawn((token) => this.task(task, token, record)));
    await this.work(plan.body, s.token, record);
    const { task = -1, catches = false } = plan.awaits ?? {};
    if (catches) await tasks[task]?.catch(() => {});
    else await tasks[task];
    record.fulfilled = true;
    queueMicrotask(() => {
      record.cancelledBefore = s.token.isCancelled;
    });
    return 'value';
  }

  async cleanup(i: number, { ms, fails }: { ms: number; fails: boolean }, record: Record): Promise<void> {
    // Law 2: after the children, one at a time.
    this.check(() => expect([record.running, record.cleaning]).toEqual([0, 0]));
    record.cleaning++;
    await sleep(ms, { clock: this.clock });
    record.cleaning--;
    record.cleaned.push(i);
    if (fails) record.fail(new Error(`error ${this.errors++}`));
  }

  /** Runs a scope, and compares its result and its time with the recorded events. */
  async scope(plan: ScopePlan, signal: CancellationToken, record: Record): Promise<void> {
    this.records.push(record);
    const wasCancelled = signal.isCancelled;
    const result = await scope((s) => this.body(plan, record, s), { signal }).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    record.settled = true;
    this.check(() => {
      expect(record.started).toBe(!wasCancelled);
      // Law 1.
      expect(record.running).toBe(0);
      // Law 2.
      expect(record.cleaned).toEqual(record.started ? plan.cleanups.map((_, i) => i).reverse() : []);
    });
    this.check(() => this.compare(result, record, signal));
    if ('error' in result) throw result.error;
  }

  /** No error is lost. */
  compare(result: { value: unknown } | { error: unknown }, record: Record, signal: CancellationToken): void {
    const [first, ...others] = record.failures;
    if (others.length > 0) {
      const errors = 'error' in result && result.error instanceof ScopeError ? result.error.errors : undefined;
      expect(errors).toEqual(record.failures);
      expect(record.failures.every((error, i) => error === errors?.[i])).toBe(true);
    } else if (first !== undefined) {
      expect('error' in result && result.error).toBe(first);
    } else if (record.fulfilled && !record.cancelledBefore) {
      expect(result).toEqual({ value: 'value' });
    } else {
      // Law 3: the rejection explains it.
      expect(signal.isCancelled).toBe(true);
      expect('error' in result && result.error).toBe(signal.reason);
    }
  }
}

const ms = fc.nat(6);
const work = {
  ms,
  cleanup: fc.option(fc.nat(4), { nil: undefined, freq: 4 }),
  fails: fc.boolean(),
};
const { scopePlan } = fc.letrec<{ scopePlan: ScopePlan; taskPlan: TaskPlan }>((tie) => ({
  taskPlan: fc.record({
    ...work,
    fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    inner: fc.option(tie('scopePlan'), { nil: undefined, freq: 2, maxDepth: 3, depthSize: 'max' }),
  }),
  scopePlan: fc.record({
    body: fc.record({ ...work, fails: fc.integer({ min: 0, max: 4 }).map((n) => n === 0) }),
    tasks: fc.array(tie('taskPlan'), { maxLength: 4, size: 'max' }),
    cleanups: fc.array(fc.record({ ms, fails: fc.integer({ min: 0, max: 6 }).map((n) => n === 0) }), { maxLength: 3 }),
    awaits: fc.option(fc.record({ task: fc.nat(3), catches: fc.boolean() }), { nil: undefined }),
  }),
}));

test('no task outlives its scope, every cleanup runs once in order, no error is lost', async () => {
  const seen = { scopes: 0, failed: 0, cancelled: 0, fulfilled: 0 };
  await fc.assert(
    fc.asyncProperty(scopePlan, fc.option(fc.nat(10), { nil: undefined }), async (plan, cancelAt) => {
      const world = new World();
      const { clock } = world;
      const outer = new CancellationToken();
      const root = new Record();
      const result = await clock.run(async () => {
        if (cancelAt !== undefined)
          void sleep(cancelAt, { clock }).then(() => outer.cancel(`cancelled at ${cancelAt}`));
        return world.scope(plan, outer, root).then(
          () => undefined,
          (error: unknown) => error,
        );
      });
      for (const broken of world.broken) throw broken;
      expect(world.records.every((record) => record.settled)).toBe(true);
      seen.scopes += world.records.length;
      if (root.failures.length > 0) seen.failed++;
      else if (result === undefined) seen.fulfilled++;
      else seen.cancelled++;
    }),
    { numRuns: 400 },
  );
  // The plans must cover every case, or the test shows nothing.
  expect(Math.min(seen.failed, seen.cancelled, seen.fulfilled)).toBeGreaterThan(10);
  expect(seen.scopes).toBeGreaterThan(1_000);
}, 240_000);
