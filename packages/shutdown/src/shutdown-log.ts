import { describeEvent } from './describe.ts';
import { describeError } from './describe-error.ts';
import type { Reporter, ShutdownEvent } from './events.ts';
import { formatReport } from './format-report.ts';
import { host } from './host.ts';
import { type Failure, type LogEntry, type Logger, logTo } from './logger.ts';
import type { ShutdownOptions } from './options.ts';
import type { ShutdownReport } from './report.ts';
import { reportToJson } from './report-json.ts';
import { Terminal } from './terminal.ts';

/** Writes events, warnings and the report of one shutdown to its logger. */
export class ShutdownLog {
  /** The logger when it is a {@link Terminal}, which shows progress in place; otherwise `undefined`. */
  readonly terminal: Terminal | undefined;
  readonly prefix: string;
  /** Whether the `logger` option is missing: `false` is a choice, a missing one is not. */
  readonly #isUnset: boolean;
  readonly #name: string | undefined;
  readonly #log: (entry: LogEntry) => void;

  constructor({ name, logger }: ShutdownOptions) {
    this.#isUnset = logger === undefined;
    this.terminal = logger instanceof Terminal ? logger : undefined;
    this.#name = name;
    this.prefix = name === undefined ? '' : `${name}: `;
    this.#log = logTo(logger === false ? undefined : logger, this.prefix);
  }

  /** Logs each event that has a text, and the report at the end. */
  readonly reporter: Reporter = (event, read) => {
    const line = describeEvent(event);
    if (line !== undefined) this.write(line[0], line[1], () => eventFields(event), line[2]);
    if (event.type === 'stopped') this.printReport(read.report(), event.report.exitCode === 0 ? 'info' : 'error');
  };

  warn(text: string): void {
    this.write('warn', text, () => ({ event: 'warning' }));
  }

  write(level: keyof Logger, text: string, fields: () => object, failure?: Failure): void {
    const name = this.#name === undefined ? {} : { shutdown: this.#name };
    this.#log({ level, text, fields: () => ({ ...name, ...fields() }), failure });
  }

  /** Calls a function. When it throws, warns instead: Node's permission model may refuse a process or a thread. */
  attempt(what: string, start: () => void): void {
    try {
      start();
    } catch (error) {
      this.warn(`${what}: ${describeError(error)}`);
    }
  }

  printReport(report: ShutdownReport, level: keyof Logger): void {
    const text = formatReport(report, { colours: this.terminal?.isTTY === true });
    this.write(level, text, () => ({ event: 'report', report: JSON.parse(reportToJson(report)) }));
  }

  /** Writes a text that must be seen to stderr, when no logger was chosen. Returns whether it did. */
  writeWithoutLogger(text: () => string): boolean {
    if (this.#isUnset) host.stderr.write(`${text()}\n`);
    return this.#isUnset;
  }
}

/** Returns an event as fields of a log entry. The entry has its error. */
function eventFields(event: ShutdownEvent): object {
  switch (event.type) {
    case 'requested':
      return {
        event: event.type,
        kind: event.request.kind,
        ...(event.request.signal !== undefined && { signal: event.request.signal }),
      };
    case 'forced':
      return { event: event.type, ...event.force };
    default: {
      const { type, error: _, ...fields } = event as ShutdownEvent & { readonly error?: unknown };
      return { event: type, ...fields };
    }
  }
}
