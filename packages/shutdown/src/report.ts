import type { Unfinished } from '@quiesce/select';
import type { HookOutcome, HookPhase } from './hooks.ts';
import type { ShutdownRequest } from './request.ts';
import type { ShutdownForce, ShutdownState } from './state.ts';

/** One phase in a report. */
export interface PhaseReport {
  /** The phase. */
  readonly phase: HookPhase;
  /** Its duration in ms. While it runs, the time so far. */
  readonly durationMs: number;
}

/** One hook in a report. */
export interface HookReport {
  /** The name that it was registered under. */
  readonly name: string;
  /** The phase in which it runs. */
  readonly phase: HookPhase;
  /** Its duration in ms. 0 when it was not started. */
  readonly durationMs: number;
  /** `skipped`: never started. `cut off`: no longer awaited after a force, or ended because its token was cancelled. */
  readonly outcome: HookOutcome | 'running' | 'waiting';
  /** The error that it failed with. Absent unless it failed. */
  readonly error?: unknown;
}

/** One drainable in a report. */
export interface DrainReport {
  /** The name of the drainable. */
  readonly name: string;
  /** How many items were in flight when draining began. Before draining, the current number. */
  readonly inFlightCountAtStart: number;
  /** How many items are in flight now. */
  readonly inFlightCount: number;
  /** The duration of draining in ms. During draining, the time so far. */
  readonly durationMs: number;
  /** Its progress. `unfinished`: it was given up with work still in flight. */
  readonly outcome: 'accepting' | 'draining' | 'drained' | 'unfinished';
}

/** Work that was cancelled because time had run out. */
export interface CutOffReport {
  /** The name of the drainable. */
  readonly name: string;
  /** How many items were in flight in it. */
  readonly inFlightCount: number;
  /** The names of those items, such as `GET /path`. Absent when the drainable does not know them. */
  readonly names?: readonly string[];
}

/** A guard that was collected undisposed. */
export interface LeakReport {
  /** The name of the guard. */
  readonly name: string;
  /** The place where it was made, or `undefined` when it is unknown. */
  readonly site: string | undefined;
}

/** Something that failed, and where. */
export interface ReportedError {
  /** The part that failed, such as `main`, `an exception` or `drain() of "http"`. */
  readonly where: string;
  /** The error, verbatim. */
  readonly error: unknown;
}

/** The result of a shutdown, or its current progress, as plain data. */
export interface ShutdownReport {
  /** The name of the shutdown, or `undefined` without one. */
  readonly name: string | undefined;
  /** The state. `stopped` in the last report. */
  readonly state: ShutdownState;
  /** The first request, or `undefined` before it. */
  readonly request: ShutdownRequest | undefined;
  /** The cause of the force, or `undefined` when the shutdown was not forced. */
  readonly force: ShutdownForce | undefined;
  /** The time of the request, or `undefined` before it. */
  readonly startedAt: Date | undefined;
  /** The time of the end, or `undefined` before it. */
  readonly endedAt: Date | undefined;
  /** The time from the request to the end, or until now, in ms. */
  readonly durationMs: number;
  /** The phases that have begun, in order. */
  readonly phases: readonly PhaseReport[];
  /** The hooks, slowest first. */
  readonly hooks: readonly HookReport[];
  /** The drainables, in the order in which they were added. */
  readonly drained: readonly DrainReport[];
  /** Work that was cancelled because time had run out. */
  readonly cutOff: readonly CutOffReport[];
  /** Work that never finished. During the shutdown, work that has not finished yet. */
  readonly unfinished: readonly Unfinished[];
  /** The names of the hooks that were never started. */
  readonly skipped: readonly string[];
  /** Uncaught errors, and failures outside of hooks. */
  readonly errors: readonly ReportedError[];
  /** Guards that were collected undisposed. Empty without `leakDetection`. */
  readonly leaks: readonly LeakReport[];
  /** 0: clean. 1: something failed or ran out of time. 128 + n: forced or interrupted by the signal n. */
  readonly exitCode: number;
}
