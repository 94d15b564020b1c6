import type { ShutdownEvent } from './events.ts';
import type { Failure, Logger } from './logger.ts';
import type { CutOffReport } from './report.ts';
import { describeRequest } from './request.ts';
import type { ShutdownProgress } from './state.ts';

/** The text of a log entry, its level, and its error. */
type LogLine = readonly [level: keyof Logger, text: string, failure?: Failure];

/** Describes one step. Returns `undefined` for a step that is not logged. */
export function describeEvent(event: ShutdownEvent): LogLine | undefined {
  switch (event.type) {
    case 'requested': {
      const { kind, reason } = event.request;
      const text = `shutting down: ${describeRequest(event.request)}`;
      return kind === 'error' ? ['error', text, { error: reason, joint: '\n' }] : ['info', text];
    }
    case 'forced': {
      const { by, signal } = event.force;
      return ['warn', `forced by ${signal ?? (by === 'deadline' ? 'the deadline' : 'a call')}: nothing is awaited`];
    }
    case 'signal ignored': {
      const { signal, why, debounceMs } = event;
      const force = 'To force the shutdown, send';
      if (why === 'own')
        return ['warn', `ignored ${signal}, which this process sent to itself. ${force} ${signal} again from outside`];
      if (debounceMs === Number.POSITIVE_INFINITY)
        return ['warn', `ignored ${signal}, which came again. ${force} another signal`];
      return [
        'warn',
        `ignored ${signal}, which came twice within ${formatMs(debounceMs)}. ${force} ${signal} again after that`,
      ];
    }
    case 'cut off':
      return ['warn', describeCutOff(event)];
    case 'hook:end':
      return describeEnd(event);
    case 'error':
      return ['error', event.where, { error: event.error, joint: ': ' }];
    case 'leak':
      return ['warn', `guard ${JSON.stringify(event.name)} was never disposed${at(event.site)}`];
    default:
      return undefined;
  }
}

function describeEnd(event: ShutdownEvent & { readonly type: 'hook:end' }): LogLine | undefined {
  const { hook, outcome, durationMs, error } = event;
  const subject = `hook ${JSON.stringify(hook)}`;
  if (outcome === 'done') return undefined;
  if (outcome === 'failed') return ['error', `${subject} failed after ${formatMs(durationMs)}`, { error, joint: ': ' }];
  if (outcome === 'skipped') return ['warn', `${subject} was skipped: no time is left`];
  return [
    'warn',
    `${subject} was given up after ${formatMs(durationMs)}${outcome === 'timed out' ? ', its time limit' : ''}`,
  ];
}

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

/** Describes the progress in one line. It has no times, so that equal progress gives equal lines. */
export function describeProgress({ state, inFlightCount, waitingFor }: ShutdownProgress): string {
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
