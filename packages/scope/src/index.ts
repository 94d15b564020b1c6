export { ScopeError } from './errors.ts';
export { type Cleanup, type Scope, type ScopeOptions, type SpawnOptions, scope } from './scope.ts';
export type { Task, TaskOutcome, TaskState } from './task.ts';
