/**
 * The forms in which loggers take an event.
 *
 * Guarantee: a logger that is recognised by mistake gets all fields and the text, in another order. Only `console`, `Terminal` and
 * the loggers of NestJS get a text alone. An object that is not recognised is refused, because any form might lose fields.
 */

import { show } from '@quiesce/internal';
import { type Flushable, flush } from './flush.ts';
import { formatLogEvent } from './format-log-event.ts';
import type { LogEvent, LogLevel } from './log-event.ts';
import { fieldsOf } from './log-event-json.ts';
import { plain } from './report-json.ts';
import { Terminal } from './terminal.ts';

/** A logger that is a function of the event. `runMain` awaits a promise that it returns, before the process exits. */
export type LogFunction = (event: LogEvent) => unknown;

/** `console`, or another instance of `Console`. It gets one text, from `formatLogEvent`. */
export interface ConsoleLogger {
  /** Logs a normal step. */
  info(text: string): unknown;
  /** Logs something that takes too long or was given up. */
  warn(text: string): unknown;
  /** Logs a failure. */
  error(text: string): unknown;
  /** Consoles are recognised by this method. */
  groupEnd(): unknown;
}

/** A logger of NestJS, with `log` in place of `info`. It gets one text, from `formatLogEvent`. */
export interface NestLogger {
  /** Logs a normal step. */
  log(text: string): unknown;
  /** Logs something that takes too long or was given up. */
  warn(text: string): unknown;
  /** Logs a failure. */
  error(text: string): unknown;
  /** Absent. Other loggers have it. */
  readonly info?: undefined;
}

/** A logger of pino, Fastify or bunyan. It gets the fields of the event, then one line of text. The error is the field `err`. */
export interface PinoLogger {
  /** Logs a normal step. */
  info(fields: object, text: string): unknown;
  /** Logs something that takes too long or was given up. */
  warn(fields: object, text: string): unknown;
  /** Logs a failure. */
  error(fields: object, text: string): unknown;
  /** With the next two, a method by which these loggers are recognised. */
  child(fields: object): unknown;
  /** Not called. */
  fatal(fields: object, text: string): unknown;
  /** Not called. */
  trace(fields: object, text: string): unknown;
}

/**
 * A logger of winston 3. It gets one object: `level`, `message`, the fields of the event, the error as `err`, and its `stack`
 * where winston puts the stack of an error.
 */
export interface WinstonLogger {
  /** Logs an event. */
  log(entry: { level: string; message: string }): unknown;
  /** Loggers of winston are recognised by this property and the next one. */
  readonly transports: object;
  /** Not used. */
  readonly format: object;
}

/** A logger: a function of the event, or a logger of a known kind. Each kind gets the event in its own form. */
export type Logger = LogFunction | ConsoleLogger | NestLogger | PinoLogger | WinstonLogger | Terminal;

/** Takes events in the form of one logger. */
export interface LogSink {
  /** Logs an event. May throw, and may return a promise that rejects. */
  write(event: LogEvent): unknown;
  /** Waits until everything is written. Nothing is written afterwards. */
  flush?(): Promise<unknown>;
  /** Whether the logger itself writes the rest, synchronously, when the process exits. */
  readonly writesAtExit?: true;
}

/** The properties of all loggers that are read. */
interface Marks {
  readonly info?: unknown;
  readonly warn?: unknown;
  readonly error?: unknown;
  readonly log?: unknown;
  readonly child?: unknown;
  readonly fatal?: unknown;
  readonly trace?: unknown;
  readonly groupEnd?: unknown;
  readonly transports?: unknown;
  readonly format?: unknown;
  /** tslog has it. It has the methods of pino, and takes the text first. */
  readonly settings?: unknown;
  /** The modules of pino and bunyan have it: functions that make loggers. */
  readonly stdSerializers?: unknown;
}

/**
 * Returns a sink for a logger.
 *
 * @throws TypeError for a value that is neither a function nor a logger of a known kind
 */
export function sinkOf(call: string, logger: Logger): LogSink {
  const marks: Marks = Object(logger);
  const has = (...names: (keyof Marks)[]): boolean => names.every((name) => typeof marks[name] === 'function');
  if (typeof logger === 'function' && marks.stdSerializers === undefined) return { write: logger };
  if (logger instanceof Terminal) return terminalSink(logger);
  if (has('log') && typeof marks.transports === 'object' && marks.format !== undefined)
    return winstonSink(call, logger as WinstonLike);
  if (has('info', 'warn', 'error', 'child', 'fatal', 'trace') && marks.settings === undefined)
    return pinoSink(logger as PinoLike);
  if (has('info', 'warn', 'error', 'groupEnd')) return textSink(logger as ConsoleLogger, 'info');
  if (has('log', 'warn', 'error') && marks.info === undefined) return textSink(logger as NestLogger, 'log');
  throw new TypeError(
    `${call}: logger: expected a function of the event, console, or a logger of pino, bunyan, winston or NestJS, got ` +
      `${show(logger)}. For another logger write (event) => log[event.level](event, formatLogEvent(event))`,
  );
}

function textSink(logger: object, info: 'info' | 'log'): LogSink {
  const methods = logger as Record<string, (text: string) => unknown>;
  return { write: (event) => methods[event.level === 'info' ? info : event.level]?.(formatLogEvent(event)) };
}

function terminalSink(terminal: Terminal): LogSink {
  return {
    write: (event) => {
      if (event.event === 'progress') terminal.progress(formatLogEvent(event));
      else terminal[event.level](formatLogEvent(event, { colours: terminal.isTTY }));
    },
  };
}

interface BunyanStream {
  readonly stream?: { readonly stream?: unknown };
}

/** The parts of pino and bunyan that a sink uses. */
interface PinoLike extends PinoLogger {
  /** pino has it. */
  readonly bindings?: unknown;
  /** bunyan has both. */
  readonly serializers?: { readonly err?: unknown };
  readonly streams?: readonly BunyanStream[];
  flush?(done: () => void): unknown;
}

function pinoSink(logger: PinoLike): LogSink {
  const { bindings, serializers, streams } = logger;
  // Without a serializer, bunyan prints an error as {}. pino always has one.
  const isPino = typeof bindings === 'function';
  const isSerialized = isPino || typeof serializers?.err === 'function';
  const convert = isSerialized ? (error: unknown) => error : plain;
  const destinations = (): Destination[] => {
    // The stream of a rotating file of bunyan has the stream of its file.
    const all = Array.isArray(streams) ? streams.flatMap(({ stream }: BunyanStream) => [stream, stream?.stream]) : [];
    return [streamOfPino(logger), ...all].filter(isDestination);
  };
  return {
    write: (event) => {
      // It would emit an error, which would be uncaught, and the line would be lost.
      if (destinations().some(({ writable }) => writable === false))
        throw new Error('a stream of the logger has ended');
      return logger[event.level](fieldsOf(event, convert), formatLogEvent(event, { oneLine: true }));
    },
    flush: async () => {
      // A flush of another kind might never call `done`.
      if (isPino && typeof logger.flush === 'function') await new Promise<void>((done) => logger.flush?.(() => done()));
      await Promise.all(destinations().map(flush));
    },
    // The thread of a transport may need longer to start than the program runs. pino waits for it when the process exits.
    ...(isPino && { writesAtExit: true }),
  };
}

/** Returns the destination of a logger of pino. Its `flush` does nothing for a plain stream of Node. */
function streamOfPino(logger: object): unknown {
  for (let owner: unknown = logger; owner !== null; owner = Object.getPrototypeOf(owner)) {
    const key = Object.getOwnPropertySymbols(owner).find(({ description }) => description === 'pino.stream');
    if (key !== undefined) return (owner as Record<symbol, unknown>)[key];
  }
  return undefined;
}

/** A stream that a logger writes to. */
interface Destination extends Flushable {
  /** False when the stream has ended. */
  readonly writable?: boolean;
}

function isDestination(value: unknown): value is Destination {
  return typeof (value as Partial<Flushable> | undefined)?.writableLength === 'number';
}

/** The parts of winston that a sink uses. */
interface WinstonLike extends WinstonLogger {
  readonly levels?: Readonly<Record<string, number>>;
  /** False when the logger has ended. */
  readonly writable?: boolean;
  end?(): unknown;
  on?(event: 'error', listener: () => void): unknown;
  once?(event: 'finish', listener: () => void): unknown;
}

function winstonSink(call: string, logger: WinstonLike): LogSink {
  const { levels } = logger;
  // The levels of syslog have another name.
  const warn = levels !== undefined && !('warn' in levels) && 'warning' in levels ? 'warning' : 'warn';
  const levelOf = (level: LogLevel): string => (level === 'warn' ? warn : level);
  // winston drops an entry of an unknown level.
  const missing = levels && ['info', warn, 'error'].find((level) => !(level in levels));
  if (missing !== undefined) {
    throw new TypeError(
      `${call}: logger: this logger of winston has no level "${missing}". Write (event) => ` +
        'logger.log(levelOf(event), formatLogEvent(event)) with a function that chooses one of its levels',
    );
  }
  return {
    write: (event) => {
      // It would emit an error, which would be uncaught.
      if (logger.writable === false) throw new Error('the logger of winston has ended');
      const message = formatLogEvent(event, { oneLine: true });
      // JSON, the usual format of winston, cannot express errors. The form with a text first loses the fields of a text with `%d`.
      logger.log({ ...withStack(fieldsOf(event, plain)), level: levelOf(event.level), message });
    },
    flush: () =>
      new Promise<void>((done) => {
        if (logger.writable !== true) return done();
        // Other code may still log, and an error without a listener would be uncaught.
        logger.on?.('error', () => {});
        logger.once?.('finish', done);
        // Only at its end does winston wait for its transports.
        logger.end?.();
      }),
  };
}

/** Moves the stack of the error to the place where winston puts it. */
function withStack(fields: { readonly err?: unknown }): object {
  const { stack, ...err } = Object(fields.err) as { readonly stack?: unknown };
  return typeof stack === 'string' ? { ...fields, err, stack } : fields;
}
