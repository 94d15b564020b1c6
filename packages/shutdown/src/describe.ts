import type { CutOffReport } from './report.ts';
import type { ShutdownForce, ShutdownProgress } from './state.ts';

/** Describes in one line the work that was cut off. */
export function describeCutOff({ name, inFlightCount, names = [] }: CutOffReport): string {
  return `cut off: ${describeInFlight(name, inFlightCount, names)}`;
}

/** The most names in a line, and the most characters of each: a path may have thousands. */
const NAMES = 10;
const LENGTH = 100;

/** Returns a text such as `http (2 in flight): GET /a, POST /b`. */
export function describeInFlight(name: string, count: number, names: readonly string[]): string {
  const shown = names.slice(0, NAMES).map((one) => (one.length > LENGTH ? `${one.slice(0, LENGTH)}…` : one));
  if (names.length > NAMES) shown.push('…');
  return `${name} (${count} in flight)${shown.length === 0 ? '' : `: ${shown.join(', ')}`}`;
}

/** Describes the cause of a force: `forced by SIGINT`. */
export function describeForce({ by, signal }: ShutdownForce): string {
  return `forced by ${signal ?? (by === 'deadline' ? 'the deadline' : 'a call')}`;
}

/** Describes the progress in one line. It has no times, so that equal progress gives equal lines. */
export function describeProgress({ state, inFlightCount, waitingFor }: Omit<ShutdownProgress, 'elapsedMs'>): string {
  const names = waitingFor.length === 0 ? '' : ` (${waitingFor.join(', ')})`;
  return state === 'draining' ? `draining: ${inFlightCount} in flight${names}` : `${state}${names}`;
}

/** Returns a text such as `950 ms` or `1.5 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Returns a suffix that names a place in the program. Empty when the place is unknown. */
export function at(site: string | undefined): string {
  return site === undefined ? '' : `, made at ${site}`;
}
