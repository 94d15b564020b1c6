export { type ChildExit, type GuardChildOptions, guardChild, parentToken } from './child-process.ts';
export { WorkerEndedError } from './errors.ts';
export { receiveToken } from './receive-token.ts';
export { type PiscinaLike, type RunInPoolOptions, runInPool } from './run-in-pool.ts';
export { type SharedToken, shareToken, type TokenLink } from './share-token.ts';
export { type ThreadCall, threadTask } from './thread-task.ts';
