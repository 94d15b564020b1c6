export { WorkerEndedError, WorkerFailedError } from './errors.ts';
export type { PortLike } from './ports.ts';
export { receiveToken } from './receive-token.ts';
export { type ServeTasksOptions, serveTasks } from './serve-tasks.ts';
export { type SharedToken, type ShareTokenOptions, shareToken, type TokenLink } from './share-token.ts';
export { type RunInWorkerOptions, TaskWorker, type TaskWorkerOptions, type WorkerLike } from './task-worker.ts';
