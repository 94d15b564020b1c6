import { cutOffOf, type DrainTarget, inFlightOf, workIn } from './drain-target.ts';
import { phases } from './hooks.ts';
import { signalNumber } from './host.ts';
import type { DrainReport, HookReport, LeakReport, PhaseReport, ShutdownReport } from './report.ts';
import type { SequenceState } from './sequence-state.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';

/** Returns a report of the current state. */
export function makeReport(
  sequence: ShutdownSequence,
  name: string | undefined,
  leaks: readonly LeakReport[],
): ShutdownReport {
  const { state } = sequence;
  const { request, force, errors, wallStart } = state;
  const now = state.clock.now();
  const hooks = hookReports(sequence, now);
  const targets = [...sequence.targets];
  const durationMs = Math.round(state.elapsed());
  const isOver = state.current === 'stopped';
  return {
    name,
    state: state.current,
    request,
    force,
    startedAt: request === undefined ? undefined : new Date(wallStart),
    endedAt: isOver ? new Date(wallStart + durationMs) : undefined,
    durationMs,
    phases: phaseReports(state, now),
    hooks,
    drained: targets.map((target) => drainReport(target, state, now)),
    cutOff: targets.filter(({ cutOff }) => cutOff > 0).map(cutOffOf),
    unfinished: targets.filter(hasWork).flatMap((target) => workIn(target, now)),
    skipped: hooks.filter(({ outcome }) => outcome === 'skipped').map((hook) => hook.name),
    errors: [...errors],
    leaks: [...leaks],
    exitCode: exitCodeOf(sequence),
  };
}

/**
 * Whether a target has work. Work may begin after the drain: a hook takes a guard, or spawns a task. A program that only waits
 * for the others has none.
 */
function hasWork(target: DrainTarget): boolean {
  return (target.state !== 'drained' && target.program?.isWaiting() !== true) || inFlightOf(target) > 0;
}

/** Returns 0 when clean, 1 when something failed or timed out, 128 + n when forced or interrupted by signal n. */
function exitCodeOf(sequence: ShutdownSequence): number {
  const { isInterrupted } = sequence;
  const { force, request, errors } = sequence.state;
  if (force?.signal !== undefined) return 128 + signalNumber(force.signal);
  const isClean =
    force === undefined &&
    request?.kind !== 'error' &&
    errors.length === 0 &&
    isDrained(sequence) &&
    sequence.hooks.all().every(({ outcome }) => outcome === undefined || outcome === 'done');
  if (!isClean) return 1;
  return isInterrupted ? 128 + signalNumber(request?.signal as string) : 0;
}

/** Whether nothing was cut off or left unfinished, apart from a program that was interrupted. */
function isDrained({ targets, program, isInterrupted, state }: ShutdownSequence): boolean {
  const others = [...targets].filter((target) => !isInterrupted || target !== program?.target);
  const isCutOff = state.isOverdue && (!isInterrupted || others.some(({ cutOff }) => cutOff > 0));
  return !isCutOff && !(state.current === 'stopped' && others.some(hasWork));
}

function phaseReports({ times }: SequenceState, now: number): PhaseReport[] {
  return phases.flatMap((phase, index) => {
    const start = times[index];
    return start === undefined ? [] : [{ phase, durationMs: Math.round((times[index + 1] ?? now) - start) }];
  });
}

function hookReports({ hooks }: ShutdownSequence, now: number): HookReport[] {
  const reports = hooks.all().map(({ name, phase, state, started, durationMs, outcome, error }): HookReport => {
    const ms = state === 'running' ? now - started : durationMs;
    const known = outcome ?? (state === 'running' ? 'running' : 'waiting');
    return { name, phase, durationMs: Math.round(ms), outcome: known, ...(outcome === 'failed' && { error }) };
  });
  return reports.sort((a, b) => b.durationMs - a.durationMs);
}

function drainReport(target: DrainTarget, { current }: SequenceState, now: number): DrainReport {
  const { name, state, started } = target;
  const isOver = current === 'cleanup' || current === 'stopped';
  const inFlightCount = inFlightOf(target);
  if (state === 'waiting')
    return { name, inFlightCountAtStart: inFlightCount, inFlightCount, durationMs: 0, outcome: 'accepting' };
  const durationMs = Math.round(state === 'drained' ? target.durationMs : now - started);
  const outcome = state === 'drained' ? 'drained' : isOver ? 'unfinished' : 'draining';
  return { name, inFlightCountAtStart: target.atStart, inFlightCount, durationMs, outcome };
}
