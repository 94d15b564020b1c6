export { branchOf } from './branch-of.ts';
export type { AnyOutcome, Branch, Branches, BranchFunction, BranchValue, Late, Off, Outcome } from './branches.ts';
export { CleanupTimeoutError, type Unfinished } from './cleanup-timeout-error.ts';
export { SelectError } from './errors.ts';
export { type Select, type SelectOptions, select } from './select.ts';
export { type Sleep, type SleepOptions, sleep } from './sleep.ts';
