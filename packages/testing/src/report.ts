/** The progress of an exploration. */
export interface ExploreReport {
  /** How many schedules were run. */
  readonly scheduleCount: number;
  /** The number of the schedule that failed, from 1; `undefined` when none failed. */
  readonly foundIn: number | undefined;
  /** How many schedules were left out because they equal others. */
  readonly prunedCount: number;
  /** How many positions of a cancellation were tried; 0 in `explore`. */
  readonly cancelCount: number;
  /** The mean number of choice points of a run. */
  readonly meanPointCount: number;
  /** The number of choice points of the longest run. */
  readonly depth: number;
  /** The largest number of deviations whose schedules have all been run; -1 when none was finished. */
  readonly bound: number;
  /** Whether no schedule is left, within the bound or beyond it. */
  readonly isComplete: boolean;
  /** Why the exploration ended; `undefined` while it runs. */
  readonly stoppedBy: 'exhausted' | 'bound' | 'schedules' | 'ms' | 'failure' | 'replay' | undefined;
  /** Real milliseconds since the start. */
  readonly durationMs: number;
}
