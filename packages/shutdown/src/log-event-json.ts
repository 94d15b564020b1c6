import { checkLogEvent } from './format-log-event.ts';
import type { LogEvent } from './log-event.ts';
import type { ShutdownReport } from './report.ts';
import { plain, plainNumber, reportToJson } from './report-json.ts';

/**
 * Returns the fields of an event for a logger that has the level already.
 *
 * @param convert converts the error. Everything else becomes plain data
 */
export function fieldsOf({ level: _, ...event }: LogEvent, convert: (error: unknown) => unknown): object {
  const convertField = (key: string, value: unknown): unknown => {
    if (key === 'err') return convert(value);
    if (key === 'report') return JSON.parse(reportToJson(value as ShutdownReport));
    return key === 'reason' ? plain(value) : plainNumber(value);
  };
  return Object.fromEntries(Object.entries(event).map(([key, value]) => [key, convertField(key, value)]));
}

/**
 * Converts a log event to JSON. `JSON.stringify` alone would lose its errors.
 *
 * Use it in a function that is the `logger` of a shutdown, to log one object a line without a library.
 *
 * **Timing.** Synchronous.
 *
 * @param event the argument of a logger that is a function
 * @returns one line
 * @throws TypeError when `event` is not a log event
 * @example
 * ```ts
 * const lines: string[] = [];
 * const shutdown = new Shutdown({ name: 'shop', logger: (event) => lines.push(logEventToJson(event)) });
 * shutdown.hook('db', () => Promise.reject(new Error('lost')));
 * shutdown.request();
 * await shutdown.stopped();
 * const { level, event, shutdown: name, hook, err } = JSON.parse(lines[1] ?? '');
 * console.log(level, event, name, hook, err.message); // => error hook:end shop db lost
 * ```
 */
export function logEventToJson(event: LogEvent): string {
  checkLogEvent('logEventToJson', event);
  return JSON.stringify({ level: event.level, ...fieldsOf(event, plain) });
}
