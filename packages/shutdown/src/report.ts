import type { Unfinished } from '@quiesce/select';
import type { HookOutcome, HookPhase } from './hooks.ts';
import type { ShutdownRequest } from './request.ts';
import type { ShutdownForce, ShutdownState } from './state.ts';

/** One phase in a report. */
export interface PhaseReport {
  /** Which one. */
  readonly phase: HookPhase;
  /** How long it took, in ms; so far, while it runs. */
  readonly durationMs: number;
}

/** One hook in a report. */
export interface HookReport {
  /** The name that it was registered under. */
  readonly name: string;
  /** When it ran. */
  readonly phase: HookPhase;
  /** How long it ran, in ms; 0 unless it was started. */
  readonly durationMs: number;
  /** `skipped`: never started. `cut off`: not waited for any more, or stopped because it was told to. */
  readonly outcome: HookOutcome | 'running' | 'waiting';
  /** What it failed with; absent unless it failed. */
  readonly error?: unknown;
}

/** Something that took in work, in a report. */
export interface DrainReport {
  /** How it calls itself. */
  readonly name: string;
  /** How much was in flight when draining began; before, how much is. */
  readonly atStart: number;
  /** How much is in flight now. */
  readonly inFlight: number;
  /** How long draining took, in ms; so far, while it goes on. */
  readonly durationMs: number;
  /** How far it has come. `unfinished`: it was given up with something still in flight. */
  readonly outcome: 'accepting' | 'draining' | 'drained' | 'unfinished';
}

/** What was cancelled because time had run out. */
export interface CutOffReport {
  /** The name of the drainable. */
  readonly name: string;
  /** How much was in flight in it. */
  readonly inFlight: number;
  /** What that was, as `GET /path`; absent where the drainable does not know it. */
  readonly names?: readonly string[];
}

/** A guard that was collected undisposed. */
export interface LeakReport {
  /** The name of the guard. */
  readonly name: string;
  /** Where it was made. */
  readonly site: string | undefined;
}

/** Something that failed, and where. */
export interface ReportedError {
  /** What failed: `hook db`, `uncaught exception`, the name of a part. */
  readonly where: string;
  /** What it failed with, verbatim. */
  readonly error: unknown;
}

/** What came of a shutdown, or how it stands: plain data. */
export interface ShutdownReport {
  /** The name of the shutdown; `undefined`: it has none. */
  readonly name: string | undefined;
  /** Where it is; `stopped` in the last report. */
  readonly state: ShutdownState;
  /** Who asked first; `undefined`: nobody so far. */
  readonly request: ShutdownRequest | undefined;
  /** What forced it; `undefined`: nothing did. */
  readonly force: ShutdownForce | undefined;
  /** When it was asked for; `undefined`: not yet. */
  readonly startedAt: Date | undefined;
  /** When it was over; `undefined`: not yet. */
  readonly endedAt: Date | undefined;
  /** From the request to the end, or until now, in ms. */
  readonly durationMs: number;
  /** Those that have begun, in order. */
  readonly phases: readonly PhaseReport[];
  /** Slowest first. */
  readonly hooks: readonly HookReport[];
  /** In the order in which they were added. */
  readonly drained: readonly DrainReport[];
  /** What was cancelled because time had run out, and how much of it. */
  readonly cutOff: readonly CutOffReport[];
  /** What never finished; while it runs, what has not finished yet. */
  readonly unfinished: readonly Unfinished[];
  /** The hooks that were never started. */
  readonly skipped: readonly string[];
  /** What nobody caught, and what failed but in hooks. */
  readonly errors: readonly ReportedError[];
  /** Guards that were collected undisposed, where `leakDetection` is on. */
  readonly leaks: readonly LeakReport[];
  /** 0: clean. 1: something failed or ran out of time. 128+n: forced by the signal n. */
  readonly exitCode: number;
}
