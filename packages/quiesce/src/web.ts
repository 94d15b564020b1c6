// For Web Workers, in browsers, Deno, Bun and Node.

export {
  type PortLike,
  type RunInWorkerOptions,
  receiveToken,
  type ServeTasksOptions,
  type SharedToken,
  type ShareTokenOptions,
  serveTasks,
  shareToken,
  TaskWorker,
  type TaskWorkerOptions,
  type TokenLink,
  WorkerEndedError,
  WorkerFailedError,
  type WorkerLike,
} from '@quiesce/worker-pool/web';
