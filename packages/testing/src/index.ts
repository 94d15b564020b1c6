export { BudgetError, type FailureKind, ScheduleError } from './errors.ts';
export { cancelEverywhere, explore } from './explore.ts';
export { type Effect, type Failure, failure } from './operation.ts';
export type { CancelOptions, ExploreOptions } from './options.ts';
export type { Report } from './report.ts';
export type { WorldResource } from './resource.ts';
export type { EventsOptions, External, OperationOptions, World } from './world.ts';
export type { Wrapped } from './wrap.ts';
