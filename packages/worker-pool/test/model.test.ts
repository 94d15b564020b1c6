// Random operations against a naive model: an array of jobs that is sorted and searched from its start at each step.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type Lease, ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { macrotask, uncancellable, type Work } from './vocabulary.ts';

const runs = { numRuns: 150 };

interface ModelJob {
  readonly id: number;
  readonly priority: number;
  readonly work: Work<void>;
  readonly signal: CancellationToken;
  state: 'waiting' | 'queued' | 'running' | 'ended' | 'dropped';
}

type PoolStep =
  | { readonly act: 'execute'; readonly priority: number }
  | { readonly act: 'end' | 'withdraw'; readonly pick: number }
  | { readonly act: 'pause' | 'resume' | 'close' };

const poolStep: fc.Arbitrary<PoolStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ act: fc.constant('execute' as const), priority: fc.integer({ min: 0, max: 2 }) }),
  },
  { weight: 5, arbitrary: fc.record({ act: fc.constantFrom('end' as const, 'withdraw' as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('pause' as const, 'resume' as const, 'close' as const) }) },
);

/** The expected behaviour, in the most obvious implementation. */
class Model {
  readonly jobs: ModelJob[] = [];
  isPaused = false;
  isClosed = false;
  readonly started: number[] = [];
  readonly concurrency: number;
  readonly capacity: number;

  constructor(concurrency: number, capacity: number) {
    this.concurrency = concurrency;
    this.capacity = capacity;
  }

  in(state: ModelJob['state']): ModelJob[] {
    return this.jobs.filter((job) => job.state === state).sort((a, b) => b.priority - a.priority || a.id - b.id);
  }

  settle(): void {
    for (;;) {
      const [running, queued, waiting] = [this.in('running'), this.in('queued'), this.in('waiting')];
      const admitted = waiting[0];
      const isFree = !this.isPaused && running.length < this.concurrency;
      if (admitted !== undefined && queued.length < this.capacity) admitted.state = 'queued';
      else if (isFree && (queued[0] ?? waiting[0]) !== undefined) this.start(queued[0] ?? waiting[0]);
      else return;
    }
  }

  start(job: ModelJob | undefined): void {
    if (job === undefined) return;
    job.state = 'running';
    this.started.push(job.id);
  }
}

it('a pool starts the same jobs as the model, in the same order, under random operations', async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 3 }),
    fc.array(poolStep, { maxLength: 60 }),
    async (concurrency, capacity, steps) => {
      const pool = new WorkerPool({ concurrency, capacity });
      const model = new Model(concurrency, capacity);
      const started: number[] = [];
      for (const step of steps) {
        apply(step, pool, model, started);
        await macrotask();
        expect(started).toEqual(model.started);
        const [running, queued, waiting] = [model.in('running'), model.in('queued'), model.in('waiting')];
        expect([pool.activeCount, pool.queuedCount, pool.waitingCount, pool.inFlightCount]).toEqual([
          running.length,
          queued.length,
          waiting.length,
          running.length + queued.length,
        ]);
      }
      for (const job of model.jobs) job.work.fulfil();
      await pool.drain(CancellationToken.never);
      expect(pool.inFlightCount).toBe(0);
    },
  );
  await fc.assert(property, runs);
});

function apply(step: PoolStep, pool: WorkerPool, model: Model, started: number[]): void {
  if (step.act === 'execute') {
    const id = model.jobs.length;
    const job: ModelJob = {
      id,
      priority: step.priority,
      work: uncancellable(),
      signal: new CancellationToken(),
      state: model.isClosed ? 'dropped' : 'waiting',
    };
    model.jobs.push(job);
    const run = (): Promise<void> => {
      started.push(id);
      return job.work.run();
    };
    pool.execute(run, { priority: step.priority, signal: job.signal }).catch(() => {});
  } else if (step.act === 'end') {
    const job = at(model.in('running'), step.pick);
    if (job !== undefined) job.state = 'ended';
    job?.work.fulfil();
  } else if (step.act === 'withdraw') {
    const job = at([...model.in('queued'), ...model.in('waiting')], step.pick);
    if (job !== undefined) job.state = 'dropped';
    job?.signal.cancel();
  } else if (step.act === 'close') {
    model.isClosed = true;
    for (const job of model.in('waiting')) job.state = 'dropped';
    pool.stop();
  } else {
    model.isPaused = step.act === 'pause';
    pool[step.act]();
  }
  model.settle();
}

it('a pool never lends a resource twice or after closing it, closes it once, and never exceeds `max`', async () => {
  const step = fc.record({ act: fc.constantFrom('acquire', 'release', 'destroy', 'giveUp', 'make'), pick: fc.nat(20) });
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 3 }),
    fc.array(step, { maxLength: 60 }),
    async (max, steps) => {
      const alive = new Set<number>();
      const makings: (() => void)[] = [];
      let made = 0;
      const pool = new ResourcePool<number>({
        create: async () => {
          await new Promise<void>((resolve) => makings.push(resolve));
          alive.add(++made);
          expect(alive.size).toBeLessThanOrEqual(max);
          return made;
        },
        close: (id) => void expect(alive.delete(id)).toBe(true),
        max,
      });
      const leases: Lease<number>[] = [];
      const waiting: CancellationToken[] = [];
      for (const { act, pick } of steps) {
        if (act === 'acquire') {
          const signal = new CancellationToken();
          waiting.push(signal);
          pool.acquire({ signal }).then(
            (lease) => {
              expect(alive).toContain(lease.resource);
              expect(leases.map(({ resource }) => resource)).not.toContain(lease.resource);
              leases.push(lease);
            },
            () => {},
          );
        } else if (act === 'make') makings.shift()?.();
        else if (act === 'giveUp') at(waiting, pick)?.cancel();
        else {
          const lease = at(leases, pick);
          if (lease !== undefined) leases.splice(leases.indexOf(lease), 1);
          if (act === 'release') lease?.release();
          else lease?.destroy();
        }
        await arrival();
        expect(pool.inFlightCount).toBe(leases.length);
      }
      const closing = pool.shutdown({ timeout: 60_000 });
      for (const making of makings) making();
      await arrival();
      for (const lease of [...leases]) lease.release();
      const report = await closing;
      expect([alive.size, report.cutOffCount, report.failed]).toEqual([0, 0, []]);
      expect(report.closedCount).toBe(made);
    },
  );
  await fc.assert(property, runs);
});

/** Waits one event loop iteration more than a grant needs: after 1,024 completions a grant arrives that much later. */
async function arrival(): Promise<void> {
  await macrotask();
  await macrotask();
}

/** Picks an item, or returns `undefined` for an empty list. */
function at<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)];
}
