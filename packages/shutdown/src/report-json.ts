import { checkKind, isError } from '@quiesce/internal';
import { describeError } from './describe-error.ts';
import type { ShutdownReport } from './report.ts';

/**
 * Converts a report to JSON. `JSON.stringify` alone would lose its errors.
 *
 * **Timing.** Synchronous.
 *
 * @param report the result of `stopped()` or `report()`
 * @returns one line
 * @throws TypeError when `report` is not a report
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * shutdown.hook('db', () => Promise.reject(new Error('lost')));
 * shutdown.request('deploy');
 * const { hooks, request } = JSON.parse(reportToJson(await shutdown.stopped()));
 * console.log(hooks[0].error.message, request.reason); // => lost deploy
 * ```
 */
export function reportToJson(report: ShutdownReport): string {
  checkReport('reportToJson', report);
  const { request, hooks, errors } = report;
  const withError = <T extends { readonly error?: unknown }>(entry: T): unknown =>
    'error' in entry ? { ...entry, error: plain(entry.error) } : entry;
  const safe = {
    ...report,
    request: request === undefined ? undefined : { ...request, reason: plain(request.reason) },
    hooks: hooks.map(withError),
    errors: errors.map(withError),
  };
  return JSON.stringify(safe, (_, value: unknown) => plainNumber(value));
}

/** Refuses values that are not a report. */
export function checkReport(call: string, report: ShutdownReport): void {
  checkKind(Array.isArray(report?.hooks), call, 'a report, such as shutdown.report()', report);
}

/** The most levels of causes that are kept. */
const DEPTH = 5;

/** Converts any thrown value or reason to plain JSON data. The value may be circular, or have a `toJSON` that throws. */
export function plain(value: unknown, depth = 0): unknown {
  try {
    if (isError(value)) return plainError(value, depth);
    return value === undefined ? undefined : (JSON.parse(JSON.stringify(value) ?? 'null') ?? describeError(value));
  } catch {
    return describeError(value);
  }
}

/** `JSON.stringify` would turn Infinity and NaN into null. */
export function plainNumber(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function plainError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const more = cause === undefined || depth >= DEPTH ? {} : { cause: plain(cause, depth + 1) };
  return { name, message, ...(typeof code === 'string' && { code }), stack, ...more };
}
