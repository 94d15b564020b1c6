import type { CancellationToken, SourcePromise } from '@quiesce/cancellation-token';
import type { Drainable } from '@quiesce/scope';
import {
  type Lease,
  ResourcePool,
  type ResourcePoolReport,
  WorkerPool,
  type WorkerPoolReport,
} from '@quiesce/worker-pool';
import { runInPool, threadTask } from '@quiesce/worker-pool/node';
import { receiveToken, serveTasks, shareToken, TaskWorker } from '@quiesce/worker-pool/web';
import { Piscina } from 'piscina';
import { expectTypeOf } from 'vitest';

const workers = new WorkerPool({ concurrency: 1, capacity: undefined, whenFull: 'refuse' });
expectTypeOf(workers).toExtend<Drainable>();
expectTypeOf(workers.execute(() => 1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(workers.execute(async (token) => expectTypeOf(token).toEqualTypeOf<CancellationToken>())).toExtend<
  Promise<unknown>
>();
expectTypeOf(workers.shutdown({ timeout: 5 })).toEqualTypeOf<Promise<WorkerPoolReport>>();
expectTypeOf(workers.execute).toBeCallableWith(() => {}, { signal: {} as AbortSignal });

// @ts-expect-error is not assignable to parameter of type '(token: CancellationToken)
void workers.execute(Promise.resolve());

// @ts-expect-error Property 'concurrency' is missing
new WorkerPool({});

// @ts-expect-error Type '"drop"' is not assignable to type
new WorkerPool({ concurrency: 1, whenFull: 'drop' });

const resources = new ResourcePool({
  create: async (token) => {
    expectTypeOf(token).toEqualTypeOf<CancellationToken>();
    return { id: 1 };
  },
  close: (resource) => expectTypeOf(resource).toEqualTypeOf<{ id: number }>(),
  isUsable: ({ id }) => id > 0,
  max: 1,
});
expectTypeOf(resources).toExtend<Drainable>();
expectTypeOf(resources.acquire()).toEqualTypeOf<SourcePromise<Lease<{ id: number }>>>();
expectTypeOf(resources.use(({ id }) => id)).toEqualTypeOf<Promise<number>>();
expectTypeOf(resources.use(async ({ id }) => id)).toEqualTypeOf<Promise<number>>();
expectTypeOf(resources.shutdown({ timeout: 5 })).toEqualTypeOf<Promise<ResourcePoolReport>>();
expectTypeOf<Lease<string>>().toExtend<Disposable>();

expectTypeOf<WorkerPool['drain']>().parameter(0).toEqualTypeOf<CancellationToken | AbortSignal>();
expectTypeOf<ResourcePool<1>['drain']>().parameter(0).toEqualTypeOf<CancellationToken | AbortSignal>();

// @ts-expect-error Property 'max' is missing
new ResourcePool({ create: () => 1 });

const task = threadTask((n: number, token) => (token.isCancelled ? 0 : n));
expectTypeOf(task).returns.toEqualTypeOf<Promise<number>>();
expectTypeOf(runInPool<number>(new Piscina(), 5, { cleanupTimeout: 10 })).toEqualTypeOf<Promise<number>>();
expectTypeOf(runInPool(new Piscina(), 5)).toEqualTypeOf<Promise<unknown>>();

const worker = new TaskWorker(new Worker('search.js'));
expectTypeOf(worker.run<number>(5, { signal: new AbortController().signal })).toEqualTypeOf<Promise<number>>();
expectTypeOf(worker.run(5)).toEqualTypeOf<Promise<unknown>>();
expectTypeOf(worker).toExtend<AsyncDisposable>();
new TaskWorker(new SharedWorker('search.js').port);
serveTasks(async (n: number, token) => (token.isCancelled ? 0 : n), {
  transferList: (result) => {
    expectTypeOf(result).toEqualTypeOf<number>();
    return [];
  },
});
const link = shareToken(new AbortController().signal, { sharedMemory: false });
new Worker('search.js').postMessage({ token: link.shared }, [link.shared.port]);
expectTypeOf(receiveToken(link.shared)).toEqualTypeOf<CancellationToken>();

// @ts-expect-error Argument of type 'string' is not assignable to parameter
new TaskWorker('search.js');
