import type { ShutdownEvent } from './events.ts';
import type { Failure, Logger } from './logger.ts';
import type { CutOffReport } from './report.ts';
import { describeRequest } from './request.ts';
import type { ShutdownProgress } from './state.ts';

/** A line for a log, its level, and the error that it is about. */
type Line = readonly [level: keyof Logger, text: string, failure?: Failure];

/** Describes one step; `undefined` for a step that is not logged. */
export function describeEvent(event: ShutdownEvent): Line | undefined {
  switch (event.type) {
    case 'requested': {
      const { kind, reason } = event.request;
      const text = `shutting down: ${describeRequest(event.request)}`;
      return kind === 'error' ? ['error', text, { error: reason, joint: '\n' }] : ['info', text];
    }
    case 'forced': {
      const { by, signal } = event.force;
      return ['warn', `forced by ${signal ?? (by === 'deadline' ? 'the deadline' : 'a call')}: nothing is waited for`];
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

function describeEnd(event: ShutdownEvent & { readonly type: 'hook:end' }): Line | undefined {
  const { hook, outcome, durationMs, error } = event;
  const who = `hook ${JSON.stringify(hook)}`;
  if (outcome === 'done') return undefined;
  if (outcome === 'failed') return ['error', `${who} failed after ${formatMs(durationMs)}`, { error, joint: ': ' }];
  if (outcome === 'skipped') return ['warn', `${who} was skipped: no time is left`];
  return [
    'warn',
    `${who} was given up after ${formatMs(durationMs)}${outcome === 'timed out' ? ', its time limit' : ''}`,
  ];
}

/** What was cut off, in one line. */
export function describeCutOff({ name, inFlight, names = [] }: CutOffReport): string {
  return `cut off: ${describeInFlight(name, inFlight, names)}`;
}

/** How many names a line has, and how long each may be: a path may have thousands of characters. */
const NAMES = 10;
const LENGTH = 100;

/** `http (2 in flight): GET /a, POST /b`. */
export function describeInFlight(name: string, count: number, names: readonly string[]): string {
  const shown = names.slice(0, NAMES).map((one) => (one.length > LENGTH ? `${one.slice(0, LENGTH)}…` : one));
  if (names.length > NAMES) shown.push('…');
  return `${name} (${count} in flight)${shown.length === 0 ? '' : `: ${shown.join(', ')}`}`;
}

/** How it stands, in one line; without times, so that the same state gives the same line. */
export function describeProgress({ state, inFlight, waitingFor }: ShutdownProgress): string {
  const whom = waitingFor.length === 0 ? '' : ` (${waitingFor.join(', ')})`;
  return state === 'draining' ? `draining: ${inFlight} in flight${whom}` : `${state}${whom}`;
}

/** `950 ms`, `1.5 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A place in a program, to be put behind a text; nothing when it is not known. */
export function at(site: string | undefined): string {
  return site === undefined ? '' : `, made at ${site}`;
}
