import { isPromise, show } from '@quiesce/internal';
import { describeError, printError } from './describe-error.ts';
import { plain } from './report-json.ts';

/**
 * A logger: `console`, pino, the log of Fastify, bunyan, winston, or an object with these three methods.
 *
 * Loggers that take fields get them: `event`, the fields of that event, `shutdown` (the name), and `err`. Others get one text.
 */
export interface Logger {
  /** Logs a normal step. */
  info(text: string): unknown;
  /** Logs something that takes too long or was given up. */
  warn(text: string): unknown;
  /** Logs a failure. */
  error(text: string): unknown;
}

/** A logger of NestJS, or another logger with `log` in place of `info`. It gets one text. */
export interface NestLogger {
  /** Logs a normal step, as `info` of a {@link Logger} does. */
  log(text: string): unknown;
  /** Logs something that takes too long or was given up. */
  warn(text: string): unknown;
  /** Logs a failure. */
  error(text: string): unknown;
}

/** Refuses an object that lacks a method. */
export function checkLogger(call: string, logger: Logger | NestLogger): void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof methodOf(logger, level) === 'function') continue;
    throw new TypeError(`${call}: logger: expected { info, warn, error }, got ${show(logger)} without ${level}()`);
  }
}

function methodOf(logger: Partial<Logger & NestLogger> | undefined, level: keyof Logger): unknown {
  return level === 'info' ? (logger?.info ?? logger?.log) : logger?.[level];
}

/** One log entry: a text, its fields and its error. */
export interface LogEntry {
  readonly level: keyof Logger;
  readonly text: string;
  /** Returns the fields. Called only for loggers that take fields. */
  readonly fields: () => object;
  readonly failure?: Failure | undefined;
}

/** An error, and the separator between a text and that error in one string. */
export interface Failure {
  readonly error: unknown;
  readonly joint: string;
}

/** The properties by which loggers that take fields are recognised. */
interface FieldsLogger {
  readonly child?: unknown;
  readonly bindings?: unknown;
  readonly fields?: unknown;
  readonly fatal?: unknown;
  readonly trace?: unknown;
  readonly settings?: unknown;
  readonly log?: unknown;
  readonly transports?: unknown;
  readonly serializers?: { readonly err?: unknown };
}

/**
 * Returns a function that logs in the form that the logger expects. pino, bunyan and loggers with their methods get
 * `({ err, … }, text)`, winston gets `(text, { err, … })`, and all others get one text.
 *
 * A logger cannot disturb a shutdown: an error that it throws or rejects with is ignored. Logging it would only repeat it.
 */
export function logTo(logger: Logger | NestLogger | undefined, prefix: string): (entry: LogEntry) => void {
  const argumentsOf = argumentsFor(logger, prefix);
  return (entry) => {
    try {
      const method = methodOf(logger, entry.level) as ((...given: unknown[]) => unknown) | undefined;
      const result: unknown = method?.call(logger, ...argumentsOf(entry));
      if (isPromise(result)) result.catch(() => {});
    } catch {}
  };
}

function argumentsFor(logger: object | undefined, prefix: string): (entry: LogEntry) => unknown[] {
  const { child, bindings, fields, fatal, trace, settings, log, transports, serializers }: FieldsLogger = logger ?? {};
  // JSON, the usual format of winston, cannot express errors.
  if (typeof log === 'function' && typeof transports === 'object')
    return (entry) => [lineOf(entry), fieldsOf(entry, plain)];
  const isPino = typeof bindings === 'function';
  // The methods that Fastify requires of a logger. tslog, which has settings, takes the text first.
  const isLikePino = typeof fatal === 'function' && typeof trace === 'function' && settings === undefined;
  if (typeof child === 'function' && (isPino || typeof fields === 'object' || isLikePino)) {
    // Without a serializer, bunyan prints an error as {}.
    const print = isPino || typeof serializers?.err === 'function' ? (error: unknown) => error : plain;
    return (entry) => [fieldsOf(entry, print), lineOf(entry)];
  }
  return ({ text, failure }) => [
    failure === undefined ? prefix + text : `${prefix}${text}${failure.joint}${printError(failure.error)}`,
  ];
}

function fieldsOf({ fields, failure }: LogEntry, print: (error: unknown) => unknown): object {
  return failure === undefined ? fields() : { ...fields(), err: print(failure.error) };
}

/** Returns one line, also for an error with a text of several lines. */
function lineOf({ text, failure }: LogEntry): string {
  const [line = ''] = text.split('\n');
  return failure?.joint === ': ' ? `${line}: ${describeError(failure.error)}` : line;
}
