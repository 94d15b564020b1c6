// For tests: every order of events, virtual time, a fake process, and the values that a broadcast retains.

export { retained } from '@quiesce/broadcast-channel/testing';
// From its own package: a bundle with the clock then contains no explorer.
export { VirtualClock } from '@quiesce/cancellation-token/testing';
export {
  BudgetError,
  type CancelEverywhereOptions,
  cancelEverywhere,
  type EffectTime,
  type EventsOptions,
  type ExploreOptions,
  type ExploreReport,
  type ExternalFunction,
  explore,
  type FailureKind,
  type FailureOutcome,
  type FakeOutput,
  FakeProcess,
  failure,
  type OperationOptions,
  ScheduleError,
  type World,
  type WorldResource,
  type Wrapped,
} from '@quiesce/testing';
