import { checkOptions } from '@quiesce/internal';
import { at, describeCutOff, describeForce, formatMs } from './describe.ts';
import { describeError } from './describe-error.ts';
import type { HookReport, ShutdownReport } from './report.ts';
import { checkReport } from './report-json.ts';
import { describeRequest } from './request.ts';

/** Options for `formatReport`. */
export interface FormatOptions {
  /** Marks failures with colours, for a terminal. Default: false. */
  readonly colours?: boolean | undefined;
}

type Paint = (text: string, isBad: boolean) => string;

const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const PLAIN = '\u001b[39m';

/**
 * Formats a report as text: a summary in one line, then phases, hooks (slowest first) and failures.
 *
 * **Timing.** Synchronous.
 *
 * @param report the result of `stopped()` or `report()`
 * @param options `colours`, for a terminal
 * @returns one or more lines, without a line feed at the end
 * @throws TypeError when `report` is not a report, or an option is unknown or of the wrong kind
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * shutdown.hook('db', () => Promise.reject(new Error('lost')));
 * shutdown.request('deploy');
 * const text = formatReport(await shutdown.stopped());
 * console.log(text.split('\n')[0]?.replace(/\d+ ms/, '0 ms')); // => stopped with 1 after 0 ms (deploy)
 * console.log(text.split('\n')[2]?.trim().replace(/\d+ ms/, '0 ms')); // => hook db: failed, 0 ms (lost)
 * ```
 */
export function formatReport(report: ShutdownReport, options: FormatOptions = {}): string {
  checkOptions('formatReport', options, [], ['colours']);
  checkReport('formatReport', report);
  const paint: Paint = (text, isBad) => (options.colours === true ? (isBad ? RED : GREEN) + text + PLAIN : text);
  const { state, exitCode, durationMs, request, force, phases, hooks } = report;
  const why = request === undefined ? '' : ` (${describeRequest(request)}${forcedBy(report)})`;
  const what = state === 'stopped' ? `stopped with ${exitCode} after ${formatMs(durationMs)}` : stateLine(report);
  const lines = [paint(`${what}${why}`, exitCode !== 0 || force !== undefined)];
  if (phases.length > 0) lines.push(`  ${phases.map((one) => `${one.phase} ${formatMs(one.durationMs)}`).join(', ')}`);
  for (const hook of hooks) lines.push(paint(`  ${hookLine(hook)}`, isBad(hook)));
  for (const one of report.cutOff) lines.push(paint(`  ${describeCutOff(one)}`, true));
  const label = state === 'stopped' ? 'never finished' : 'under way';
  for (const { name, ageMs, site } of report.unfinished) {
    const where = site === undefined ? '' : `, spawned at ${site}`;
    lines.push(paint(`  ${label}: ${name}, for ${formatMs(ageMs)}${where}`, state === 'stopped'));
  }
  for (const { where, error } of report.errors) lines.push(paint(`  error: ${where}: ${describeError(error)}`, true));
  for (const { name, site } of report.leaks) lines.push(paint(`  never disposed: ${name}${at(site)}`, true));
  return lines.join('\n');
}

function forcedBy({ force }: ShutdownReport): string {
  return force === undefined ? '' : `, ${describeForce(force)}`;
}

function stateLine({ state, durationMs, drained }: ShutdownReport): string {
  const inFlightCount = drained.reduce((sum, part) => sum + part.inFlightCount, 0);
  const since = state === 'running' ? '' : ` for ${formatMs(durationMs)}`;
  return `${state}${since}, ${inFlightCount} in flight`;
}

function isBad({ outcome }: HookReport): boolean {
  return outcome !== 'done' && outcome !== 'running' && outcome !== 'waiting';
}

function hookLine({ name, outcome, durationMs, error }: HookReport): string {
  const time = outcome === 'skipped' || outcome === 'waiting' ? '' : `, ${formatMs(durationMs)}`;
  return `hook ${name}: ${outcome}${time}${error === undefined ? '' : ` (${describeError(error)})`}`;
}
