export { CleanupTimeoutError, RetryError, type Unfinished } from '@quiesce/cancellation-token';
export { branchOf } from './branch-of.ts';
export type {
  AnyOutcome,
  Branch,
  Branches,
  BranchFunction,
  BranchValue,
  Late,
  Off,
  Outcome,
  Outcomes,
  ReadyBranch,
  ReadyOutcomes,
} from './branches.ts';
export { SelectError } from './errors.ts';
export { type Interval, type IntervalOptions, interval, intervalAt, type MissedTicks } from './interval.ts';
export { type Match, match } from './match.ts';
export type { Moment } from './moment.ts';
export { repeat } from './repeat.ts';
export { type Retry, type RetryOptions, retry } from './retry.ts';
export { type Select, select } from './select.ts';
export { type SelectEach, selectEach } from './select-each.ts';
export type { SelectOptions } from './settings.ts';
export { type Settled, settle } from './settle.ts';
export { type Sleep, type SleepOptions, sleep, sleepUntil } from './sleep.ts';
export { type MovedOn, moveOnAfter, type TimeoutOptions, timeout, timeoutAt } from './timeout.ts';
export { type TrySelect, trySelect } from './try-select.ts';
