import { checkKind, checkOptions } from '@quiesce/internal';
import { at, describeCutOff, describeForce, describeProgress, formatMs } from './describe.ts';
import { describeError, printError } from './describe-error.ts';
import { type FormatOptions, formatReport } from './format-report.ts';
import type { LogEvent } from './log-event.ts';
import { describeRequest } from './request.ts';

/** Options for `formatLogEvent`. */
export interface FormatLogEventOptions extends FormatOptions {
  /**
   * Returns the message that belongs beside the fields of the event: one line, without the name of the shutdown and without
   * stacks. Default: false.
   */
  readonly oneLine?: boolean | undefined;
}

type Kind = LogEvent['event'];
type Formatters = { readonly [K in Kind]: (event: Extract<LogEvent, { event: K }>, options: FormatOptions) => string };

/** The text of each event, without its error. */
const formatters: Formatters = {
  requested: ({ kind, signal, reason, err }) => {
    const why = err ?? reason;
    const request = { kind, ...(signal !== undefined && { signal }), ...(why !== undefined && { reason: why }) };
    return `shutting down: ${describeRequest(request)}`;
  },
  progress: (event) => describeProgress(event),
  'cut off': ({ drainable: name, cutOffCount: inFlightCount, cutOffNames: names = [] }) =>
    describeCutOff({ name, inFlightCount, names }),
  'hook:end': ({ hook, outcome, durationMs }) => {
    const subject = `hook ${JSON.stringify(hook)}`;
    const after = `after ${formatMs(durationMs)}`;
    if (outcome === 'failed') return `${subject} failed ${after}`;
    if (outcome === 'skipped') return `${subject} was skipped: no time is left`;
    return `${subject} was given up ${after}${outcome === 'timed out' ? ', its time limit' : ''}`;
  },
  forced: (event) => `${describeForce(event)}: nothing is awaited`,
  'signal ignored': ({ signal, why, debounceMs }) => {
    const force = 'To force the shutdown, send';
    if (why === 'own')
      return `ignored ${signal}, which this process sent to itself. ${force} ${signal} again from outside`;
    // JSON cannot express Infinity.
    if (!Number.isFinite(debounceMs)) return `ignored ${signal}, which came again. ${force} another signal`;
    return `ignored ${signal}, which came twice within ${formatMs(debounceMs)}. ${force} ${signal} again after that`;
  },
  error: ({ where }) => where,
  leak: ({ guard, site }) => `guard ${JSON.stringify(guard)} was never disposed${at(site)}`,
  warning: ({ warning }) => warning,
  report: ({ report }, options) => formatReport(report, options),
};

/**
 * Formats a log event as text. The lines that `console` and `Terminal` get are made by it.
 *
 * Use it in a function that is the `logger` of a shutdown, for a logger that takes text. It also accepts an event that was
 * parsed from the JSON of `logEventToJson`.
 *
 * **Timing.** Synchronous.
 *
 * @param event the argument of a logger that is a function
 * @param options `oneLine`, for a logger that takes the fields of the event as well; `colours`, for a terminal
 * @returns one or more lines, without a line feed at the end. An error is shown with its stack and its causes
 * @throws TypeError when `event` is not a log event, or an option is unknown or of the wrong kind
 * @example
 * ```ts
 * const shutdown = new Shutdown({
 *   logger: (event) => {
 *     const text = formatLogEvent(event, { oneLine: true });
 *     console.log(event.level, text.replace(/\d+ ms/, '0 ms'));
 *   },
 * });
 * shutdown.hook('db', () => Promise.reject(new Error('lost')));
 * shutdown.request('deploy');
 * // => info shutting down: deploy
 * await shutdown.stopped();
 * // => error hook "db" failed after 0 ms: lost
 * // => error stopped with 1 after 0 ms (deploy)
 * ```
 */
export function formatLogEvent(event: LogEvent, options: FormatLogEventOptions = {}): string {
  checkOptions('formatLogEvent', options, [], ['colours', 'oneLine']);
  checkLogEvent('formatLogEvent', event);
  const { oneLine = false, colours = false } = options;
  const format = formatters[event.event] as (event: LogEvent, options: FormatOptions) => string;
  const text = format(event, { colours });
  const failure = failureOf(event, oneLine);
  if (!oneLine) return `${event.shutdown === undefined ? '' : `${event.shutdown}: `}${text}${failure}`;
  const [line = ''] = text.split('\n');
  return line + failure;
}

/** Refuses values that are not a log event. */
export function checkLogEvent(call: string, event: LogEvent): void {
  const isEvent = Object.hasOwn(formatters, String(event?.event));
  checkKind(isEvent, call, 'a log event, the argument of a logger', event);
}

/** Returns the suffix with the error of the event. The description of a request has the message already. */
function failureOf(event: LogEvent, oneLine: boolean): string {
  if (!('err' in event)) return '';
  if (event.event === 'requested') return oneLine || event.level !== 'error' ? '' : `\n${printError(event.err)}`;
  return `: ${oneLine || event.event === 'warning' ? describeError(event.err) : printError(event.err)}`;
}
