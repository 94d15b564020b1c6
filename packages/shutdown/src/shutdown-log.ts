import { isPromise } from '@quiesce/internal';
import { describeError } from './describe-error.ts';
import type { Reporter } from './events.ts';
import { formatLogEvent } from './format-log-event.ts';
import { host } from './host.ts';
import { type LogDetails, type LogEvent, type LogLevel, logDetailsOf, reportDetailsOf } from './log-event.ts';
import { type LogSink, sinkOf } from './logger.ts';
import type { ShutdownOptions } from './options.ts';
import type { ShutdownReport } from './report.ts';
import type { ShutdownProgress } from './state.ts';
import { Terminal, type TextStream } from './terminal.ts';

type Warning = LogDetails & { readonly event: 'warning' };

/** Logs the steps, warnings and the report of one shutdown. */
export class ShutdownLog {
  /** Whether the logger shows progress in place. */
  readonly hasProgressLine: boolean;
  /** Whether the `logger` option is missing: `false` is a choice, a missing one is not. */
  readonly #isUnset: boolean;
  readonly #name: string | undefined;
  readonly #progress: () => ShutdownProgress;
  /** `undefined` when nothing is logged. */
  readonly #sink: LogSink | undefined;
  /** Promises that the logger has returned and that have not settled. */
  readonly #pending: Set<Promise<void>> = new Set();
  /** Set when the logger has been flushed, and may write nothing more before the process exits. */
  #isFlushed = false;
  /** Where a text goes that no logger takes. An installation on another process sets it. */
  stderr: TextStream = host.stderr;
  /** Set when the logger has failed. Its first error is printed. */
  #hasFailed = false;

  constructor({ name, logger }: ShutdownOptions, progress: () => ShutdownProgress) {
    this.#isUnset = logger === undefined;
    this.#name = name;
    this.#progress = progress;
    this.#sink = logger === undefined || logger === false ? undefined : sinkOf('new Shutdown', logger);
    this.hasProgressLine = logger instanceof Terminal && logger.isTTY;
  }

  /** Logs each step that has a line, and the report at the end. */
  readonly reporter: Reporter = (step) => {
    if (this.#sink === undefined) return;
    const details = logDetailsOf(step);
    if (details !== undefined) this.write(details);
  };

  /** Logs a warning. An error is part of it. */
  warn(about: Warning['about'], warning: string, error?: { readonly err: unknown }): void {
    this.write({ level: 'warn', event: 'warning', about, warning, ...error });
  }

  /** Calls a function. When it throws, warns instead: Node's permission model may refuse a process or a thread. */
  attempt(about: Warning['about'], warning: string, start: () => void): void {
    try {
      start();
    } catch (err) {
      this.warn(about, warning, { err });
    }
  }

  /**
   * Logs one event. A logger cannot disturb a shutdown. A line that it refuses, or that it may not write any more, goes to stderr.
   * An event about the failure would only fail as well.
   */
  write(details: LogDetails): void {
    if (this.#sink === undefined) return;
    const event = this.#eventOf(details);
    if (this.#isFlushed) {
      this.#print(formatLogEvent(event));
      return;
    }
    const fail = (error: unknown): void => {
      this.#print(formatLogEvent(event));
      if (!this.#hasFailed) this.#print(`the logger has failed: ${describeError(error)}`);
      this.#hasFailed = true;
    };
    try {
      const result: unknown = this.#sink.write(event);
      if (!isPromise(result)) return;
      const settled = result.then(() => {}, fail).then(() => void this.#pending.delete(settled));
      this.#pending.add(settled);
    } catch (error) {
      fail(error);
    }
  }

  printReport(report: ShutdownReport, level: LogLevel): void {
    this.write(reportDetailsOf(report, level));
  }

  /** Whether the logger itself writes the rest when the process exits. */
  get writesAtExit(): boolean {
    return this.#sink?.writesAtExit === true;
  }

  /** Waits until the logger has written everything. Later lines that it may not write go to stderr. Never rejects. */
  async flush(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    this.#isFlushed = this.#sink?.flush !== undefined && !this.writesAtExit;
    try {
      await this.#sink?.flush?.();
    } catch {}
  }

  /** Writes a text that must be seen to stderr, when no logger was chosen. Returns whether it did. */
  writeWithoutLogger(text: () => string): boolean {
    if (this.#isUnset) this.#print(text());
    return this.#isUnset;
  }

  /** Returns the line of a step, for `writeWithoutLogger`. */
  lineOf(details: LogDetails): string {
    return formatLogEvent(this.#eventOf(details));
  }

  #eventOf(details: LogDetails): LogEvent {
    const { state, inFlightCount, elapsedMs } = this.#progress();
    const { level, event, ...fields } = details;
    const name = this.#name === undefined ? {} : { shutdown: this.#name };
    return { level, event, ...name, state, inFlightCount, elapsedMs, ...fields } as LogEvent;
  }

  /** Writes a line to stderr. Never throws. */
  #print(text: string): void {
    try {
      this.stderr.write(`${text}\n`);
    } catch {}
  }
}
