import { isPromise, show } from '@quiesce/internal';
import { describeError, printError } from './describe-error.ts';
import { plain } from './report-json.ts';

/**
 * A logger: `console`, pino, the log of Fastify, bunyan, winston, or an object with these three methods.
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

/** A logger of NestJS, or another one that has `log` in place of `info`. Gets one text. */
export interface NestLogger {
  /** As `info` of a {@link Logger}. */
  log(text: string): unknown;
  /** As there. */
  warn(text: string): unknown;
  /** As there. */
  error(text: string): unknown;
}

/** Refuses what lacks a method. */
export function checkLogger(call: string, logger: Logger | NestLogger): void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof methodOf(logger, level) === 'function') continue;
    throw new TypeError(`${call}: logger: expected { info, warn, error }, got ${show(logger)} without ${level}()`);
  }
}

function methodOf(logger: Partial<Logger & NestLogger> | undefined, level: keyof Logger): unknown {
  return level === 'info' ? (logger?.info ?? logger?.log) : logger?.[level];
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

/** What tells loggers apart that take more than a text. */
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
 * Returns how to log to a logger, in the form that it expects: pino, bunyan and what has their methods get `({ err, … }, text)`, winston
 * gets `(text, { err, … })`, and all others get one text.
 *
 * A logger cannot disturb a shutdown: an error that it throws or rejects with is dropped. Logged, it would come again.
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
  // JSON, its usual format, has no errors.
  if (typeof log === 'function' && typeof transports === 'object')
    return (entry) => [lineOf(entry), fieldsOf(entry, plain)];
  const isPino = typeof bindings === 'function';
  // What Fastify takes for a logger. tslog, which has settings, takes the text first.
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

/** One line, also for an error whose text has several. */
function lineOf({ text, failure }: LogEntry): string {
  const [line = ''] = text.split('\n');
  return failure?.joint === ': ' ? `${line}: ${describeError(failure.error)}` : line;
}
