import { isPromise, show } from '@quiesce/internal';
import { printError } from './describe.ts';
import { plain } from './report-json.ts';
import { describeError } from './request.ts';

/**
 * A logger: `console`, pino, bunyan, winston, or an object with these three methods.
 *
 * Loggers that take fields get them: `event`, the fields of that event, `shutdown` (the name), and `err`. Others get one text.
 */
export interface Logger {
  /** What goes on as it should. */
  info(text: string): unknown;
  /** What takes longer than it should, or was given up. */
  warn(text: string): unknown;
  /** What failed. */
  error(text: string): unknown;
}

/** Refuses what lacks a method. */
export function checkLogger(call: string, logger: Logger): void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof logger?.[level] === 'function') continue;
    throw new TypeError(`${call}: logger: expected { info, warn, error }, got ${show(logger)} without ${level}()`);
  }
}

/** What is logged at once: a line, what it is about, and an error that belongs to it. */
export interface LogEntry {
  readonly level: keyof Logger;
  readonly text: string;
  /** Called for loggers that take fields only. */
  readonly fields: () => object;
  readonly failure?: Failure | undefined;
}

/** An error, and what stands between a text and that error where both are one string. */
export interface Failure {
  readonly error: unknown;
  readonly joint: string;
}

/** The methods of loggers that take more than a text. */
interface FieldsLogger {
  readonly child?: unknown;
  readonly bindings?: unknown;
  readonly fields?: unknown;
  readonly log?: unknown;
  readonly transports?: unknown;
}

/**
 * Returns how to log to a logger, in the form that it expects: pino and bunyan get `({ err, … }, text)`, winston gets
 * `(text, { err, … })`, and all others get one text.
 *
 * A logger cannot disturb a shutdown: an error that it throws or rejects with is dropped. Logged, it would come again.
 */
export function logTo(logger: Logger | undefined, prefix: string): (entry: LogEntry) => void {
  const argumentsOf = argumentsFor(logger, prefix);
  return (entry) => {
    try {
      const result: unknown = (logger?.[entry.level] as ((...given: unknown[]) => unknown) | undefined)?.call(
        logger,
        ...argumentsOf(entry),
      );
      if (isPromise(result)) result.catch(() => {});
    } catch {}
  };
}

function argumentsFor(logger: Logger | undefined, prefix: string): (entry: LogEntry) => unknown[] {
  const { child, bindings, fields, log, transports } = (logger ?? {}) as FieldsLogger;
  const isPino = typeof child === 'function' && typeof bindings === 'function';
  const isBunyan = typeof child === 'function' && typeof fields === 'object';
  if (isPino || isBunyan) return (entry) => [fieldsOf(entry), lineOf(entry)];
  const isWinston = typeof log === 'function' && typeof transports === 'object';
  // JSON, its usual format, has no errors.
  if (isWinston) return (entry) => [lineOf(entry), fieldsOf(entry, plain)];
  return ({ text, failure }) => [
    failure === undefined ? prefix + text : `${prefix}${text}${failure.joint}${printError(failure.error)}`,
  ];
}

function fieldsOf({ fields, failure }: LogEntry, print: (error: unknown) => unknown = (error) => error): object {
  return failure === undefined ? fields() : { ...fields(), err: print(failure.error) };
}

/** One line, also for an error whose text has several. */
function lineOf({ text, failure }: LogEntry): string {
  const [line = ''] = text.split('\n');
  return failure?.joint === ': ' ? `${line}: ${describeError(failure.error)}` : line;
}
