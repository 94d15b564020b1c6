export { QueueFullError } from './errors.ts';
export type { JobOptions } from './job.ts';
export type { Lease } from './lease.ts';
export {
  type AcquireOptions,
  ResourcePool,
  type ResourcePoolOptions,
  type ResourcePoolReport,
} from './resource-pool.ts';
export { type PoolShutdownOptions, WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
export type { WorkerPoolReport } from './worker-pool-report.ts';
