export type { Awaitable } from './awaitable.ts';
export { consumeBudget, consumeSlice } from './budget.ts';
export {
  asFailingSource,
  asSource,
  type Call,
  type Settling,
  type SourcePromise,
  sourcePromise,
  type Takeable,
} from './call.ts';
export { checkpoint } from './checkpoint.ts';
export { CleanupTimeoutError, type Unfinished } from './cleanup-timeout-error.ts';
export { type Clock, systemClock, type Timer, type TimerOptions } from './clock.ts';
export type { DropGuard } from './drop-guard.ts';
export {
  CancelledError,
  type CancelledSource,
  ClosedError,
  isCancelledError,
  isClosedError,
  isTimeoutError,
  TimeoutError,
} from './errors.ts';
export { isCancellation, isCancellationOf } from './is-cancellation.ts';
export type { Registration } from './links.ts';
export type { RenewableDeadline } from './renewable-deadline.ts';
export { RetryError } from './retry-error.ts';
export {
  isSource,
  PENDING,
  type Sendable,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
  waiter,
} from './source.ts';
export { CancellationToken } from './token.ts';
export type { DeadlineOptions, RenewableOptions, TokenOptions } from './token-options.ts';
export type { Tried } from './tried.ts';
export { type ReportOptions, reportUncaught, setUncaughtHandler, type UncaughtHandler } from './uncaught.ts';
export type { UntilCancelled } from './until-cancelled-source.ts';
export { wait } from './wait.ts';
