export { CleanupTimeoutError, RetryError, type Unfinished } from '@quiesce/cancellation-token';
export { type Drainable, type DrainableOptions, drainable } from './drainable.ts';
export { KeyConflictError, LeakError, ScopeError } from './errors.ts';
export { type Joined, JoinSet, type JoinSetOptions } from './join-set.ts';
export type {
  Cleanup,
  DeferOptions,
  MapOptions,
  MapProgress,
  Restart,
  RestartOptions,
  ScopeOptions,
  SpawnOptions,
} from './options.ts';
export { scope } from './scope.ts';
export { Scope } from './scope-handle.ts';
export { type ShieldOptions, shield } from './shield.ts';
export type { Started } from './start.ts';
export type { Task, TaskOutcome, TaskStatus } from './task.ts';
export { TaskTracker, type TaskTrackerOptions, type TrackerGuard } from './task-tracker.ts';
export { formatTree, type ScopeTree } from './tree.ts';
