export { WorkerEndedError } from '../web/errors.ts';
export { type ThreadCall, threadTask } from '../web/thread-task.ts';
export { type ChildExit, type GuardChildOptions, guardChild, parentToken } from './child-process.ts';
export { type PiscinaLike, type RunInPoolOptions, runInPool } from './run-in-pool.ts';
export { receiveToken, type SharedToken, shareToken, type TokenLink } from './tokens.ts';
