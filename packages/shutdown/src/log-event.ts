import { isError } from '@quiesce/internal';
import type { ShutdownEvent } from './events.ts';
import type { HookOutcome, HookPhase } from './hooks.ts';
import type { ShutdownReport } from './report.ts';
import type { ShutdownRequest } from './request.ts';
import type { ShutdownForce, ShutdownState } from './state.ts';

/** The level of a log event: a normal step, something that was given up or takes too long, or a failure. */
export type LogLevel = 'info' | 'warn' | 'error';

/** The fields that every log event has. No name of a field is one that pino, bunyan or winston uses itself, such as `name`. */
export interface LogEventFields {
  /** The level. */
  readonly level: LogLevel;
  /** The name of the shutdown. Absent without a name. */
  readonly shutdown?: string;
  /** The state of the shutdown. */
  readonly state: ShutdownState;
  /** How many items are in flight: in everything that was added, and in guards. */
  readonly inFlightCount: number;
  /** Time since the request, in ms. 0 before the request. */
  readonly elapsedMs: number;
}

/**
 * One line of the log, as data. `event` decides which fields it has. {@link formatLogEvent} makes the text of a line from it.
 *
 * `err` is an error, or another thrown value, verbatim. Everything else is plain data, apart from the `reason` of a request and
 * from the `report`. {@link logEventToJson} converts all of it.
 */
export type LogEvent = LogEventFields &
  (
    | {
        readonly event: 'requested';
        readonly kind: ShutdownRequest['kind'];
        readonly signal?: string;
        /** The reason of a call or an abort, when it is not an error. */
        readonly reason?: unknown;
        /** The error that requested the shutdown, or the reason when it is an error. */
        readonly err?: unknown;
      }
    | { readonly event: 'progress'; readonly waitingFor: readonly string[] }
    | {
        readonly event: 'cut off';
        readonly drainable: string;
        readonly cutOffCount: number;
        readonly cutOffNames?: readonly string[];
      }
    | {
        readonly event: 'hook:end';
        readonly hook: string;
        readonly phase: HookPhase;
        readonly outcome: Exclude<HookOutcome, 'done'>;
        readonly durationMs: number;
        /** Present when `outcome` is `failed`. */
        readonly err?: unknown;
      }
    | { readonly event: 'forced'; readonly by: ShutdownForce['by']; readonly signal?: string }
    | {
        readonly event: 'signal ignored';
        readonly signal: string;
        readonly why: 'repeated' | 'own';
        readonly debounceMs: number;
      }
    | { readonly event: 'error'; readonly where: string; readonly err: unknown }
    | { readonly event: 'leak'; readonly guard: string; readonly site?: string }
    | {
        readonly event: 'warning';
        /** `limits`, `signals`, `listeners`: the checks of `runMain`. `main`: it may wait for itself. The others are helpers. */
        readonly about: 'limits' | 'signals' | 'listeners' | 'main' | 'watchdog' | 'systemd';
        readonly warning: string;
        readonly err?: unknown;
      }
    | {
        readonly event: 'report';
        readonly exitCode: number;
        readonly durationMs: number;
        readonly report: ShutdownReport;
      }
  );

/** Omits properties of each member of a union. */
type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** The part of a log event that the shutdown does not add. */
export type LogDetails = OmitEach<LogEvent, Exclude<keyof LogEventFields, 'level'>>;

/** Returns one step of a shutdown as part of a log event. Returns `undefined` for a step that is not logged. */
export function logDetailsOf(step: ShutdownEvent): LogDetails | undefined {
  switch (step.type) {
    case 'requested': {
      const { kind, signal, reason } = step.request;
      const level = kind === 'error' ? 'error' : 'info';
      const why = kind === 'error' || isError(reason) ? { err: reason } : reason !== undefined && { reason };
      return { level, event: step.type, kind, ...(signal !== undefined && { signal }), ...why };
    }
    case 'forced':
      return { level: 'warn', event: step.type, ...step.force };
    case 'signal ignored': {
      const { type: event, ...fields } = step;
      return { level: 'warn', event, ...fields };
    }
    case 'cut off': {
      const { type: event, name: drainable, inFlightCount: cutOffCount, names } = step;
      return { level: 'warn', event, drainable, cutOffCount, ...(names !== undefined && { cutOffNames: names }) };
    }
    case 'hook:end': {
      const { type: event, hook, phase, outcome, error } = step;
      if (outcome === 'done') return undefined;
      const durationMs = Math.round(step.durationMs);
      if (outcome === 'failed') return { level: 'error', event, hook, phase, outcome, durationMs, err: error };
      return { level: 'warn', event, hook, phase, outcome, durationMs };
    }
    case 'error':
      return { level: 'error', event: step.type, where: step.where, err: step.error };
    case 'leak':
      return { level: 'warn', event: step.type, guard: step.name, ...(step.site !== undefined && { site: step.site }) };
    case 'stopped':
      return reportDetailsOf(step.report, step.report.exitCode === 0 ? 'info' : 'error');
    default:
      return undefined;
  }
}

/** Returns a report as part of a log event. */
export function reportDetailsOf(report: ShutdownReport, level: LogLevel): LogDetails {
  const { exitCode, durationMs } = report;
  return { level, event: 'report', exitCode, durationMs, report };
}
