import { checkKind, isError } from '@quiesce/internal';
import { describeError } from './describe-error.ts';
import type { ShutdownReport } from './report.ts';

/**
 * A report as JSON, with its errors: those have no JSON of their own.
 *
 * **Timing.** Synchronous.
 *
 * @param report what `stopped()` or `report()` gave
 * @returns one line
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

/** @throws TypeError unless it is a report */
export function checkReport(call: string, report: ShutdownReport): void {
  checkKind(Array.isArray(report?.hooks), call, 'a report, such as shutdown.report()', report);
}

/** How many causes of causes are kept. */
const DEPTH = 5;

/** Whatever was thrown or given as a reason, as something that JSON can carry: it may be circular, or have a hostile toJSON. */
export function plain(value: unknown, depth = 0): unknown {
  try {
    if (isError(value)) return plainError(value, depth);
    return value === undefined ? undefined : (JSON.parse(JSON.stringify(value) ?? 'null') ?? describeError(value));
  } catch {
    return describeError(value);
  }
}

/** Infinity and NaN would be null. */
function plainNumber(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function plainError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const more = cause === undefined || depth >= DEPTH ? {} : { cause: plain(cause, depth + 1) };
  return { name, message, ...(typeof code === 'string' && { code }), stack, ...more };
}
