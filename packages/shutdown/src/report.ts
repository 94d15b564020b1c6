import type { Unfinished } from '@quiesce/select';
import type { ShutdownForce, ShutdownState } from './events.ts';
import { type HookOutcome, type HookPhase, phases } from './hooks.ts';
import type { Machine, ReportedError } from './machine.ts';
import { cutOffOf, inFlightOf, type Part, underWayIn } from './parts.ts';
import type { ShutdownRequest } from './request.ts';
import { signalNumber } from './signal-number.ts';

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

/** How the machine stands now. */
export function reportOf(machine: Machine, name: string | undefined, leaks: readonly LeakReport[]): ShutdownReport {
  const { state, request, force, errors } = machine;
  const now = machine.clock.now();
  const hooks = hookReports(machine, now);
  const parts = [...machine.parts];
  const durationMs = round(machine.elapsed());
  const isOver = state === 'stopped';
  return {
    name,
    state,
    request,
    force,
    startedAt: request === undefined ? undefined : new Date(machine.wallStart),
    endedAt: isOver ? new Date(machine.wallStart + durationMs) : undefined,
    durationMs,
    phases: phaseReports(machine, now),
    hooks,
    drained: parts.map((part) => drainReport(part, machine, now)),
    cutOff: parts.filter(({ cutOff }) => cutOff > 0).map(cutOffOf),
    unfinished: parts.filter(isUnderWay).flatMap((part) => underWayIn(part, now)),
    skipped: hooks.filter(({ outcome }) => outcome === 'skipped').map((hook) => hook.name),
    errors: [...errors],
    leaks: [...leaks],
    exitCode: exitCodeOf(machine),
  };
}

/** Something may have begun after it had drained: a guard that a hook took, a task that was spawned by one. */
function isUnderWay(part: Part): boolean {
  return part.state !== 'drained' || inFlightOf(part) > 0;
}

/** 0 clean, 1 failed or timed out, 128+n when forced or interrupted by signal n. */
function exitCodeOf(machine: Machine): number {
  const { force, request, errors, isInterrupted } = machine;
  if (force?.signal !== undefined) return 128 + signalNumber(force.signal);
  const isClean =
    force === undefined &&
    request?.kind !== 'error' &&
    errors.length === 0 &&
    isDrained(machine) &&
    machine.hooks.all().every(({ outcome }) => outcome === undefined || outcome === 'done');
  if (!isClean) return 1;
  return isInterrupted ? 128 + signalNumber(request?.signal as string) : 0;
}

/** Whether nothing was cut off or left unfinished, but a program that was interrupted. */
function isDrained({ parts, program, isInterrupted, isOverdue, state }: Machine): boolean {
  const others = [...parts].filter((part) => !isInterrupted || part !== program?.part);
  const isCutOff = isOverdue && (!isInterrupted || others.some(({ cutOff }) => cutOff > 0));
  return !isCutOff && !(state === 'stopped' && others.some(isUnderWay));
}

function phaseReports({ times }: Machine, now: number): PhaseReport[] {
  return phases.flatMap((phase, index) => {
    const start = times[index];
    return start === undefined ? [] : [{ phase, durationMs: round((times[index + 1] ?? now) - start) }];
  });
}

function hookReports(machine: Machine, now: number): HookReport[] {
  const reports = machine.hooks.all().map(({ name, phase, state, started, durationMs, outcome, error }): HookReport => {
    const ms = state === 'running' ? now - started : durationMs;
    const known = outcome ?? (state === 'running' ? 'running' : 'waiting');
    return { name, phase, durationMs: round(ms), outcome: known, ...(outcome === 'failed' && { error }) };
  });
  return reports.sort((a, b) => b.durationMs - a.durationMs);
}

function drainReport(part: Part, machine: Machine, now: number): DrainReport {
  const { name, state, started } = part;
  const isOver = machine.state === 'cleanup' || machine.state === 'stopped';
  const inFlight = inFlightOf(part);
  if (state === 'waiting') return { name, atStart: inFlight, inFlight, durationMs: 0, outcome: 'accepting' };
  const durationMs = round(state === 'drained' ? part.durationMs : now - started);
  const outcome = state === 'drained' ? 'drained' : isOver ? 'unfinished' : 'draining';
  return { name, atStart: part.atStart, inFlight, durationMs, outcome };
}

function round(ms: number): number {
  return Math.round(ms);
}
