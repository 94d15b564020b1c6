import type { Clock, Timer } from '@quiesce/cancellation-token';
import { publish } from './channel.ts';
import { describeEvent, describeProgress } from './describe.ts';
import type { ShutdownEvent } from './events.ts';
import { formatReport } from './format-report.ts';
import { type Failure, type LogEntry, type Logger, logTo } from './logger.ts';
import { clockOf, type Limits, type ShutdownOptions } from './options.ts';
import { reportToJson } from './report-json.ts';
import { describeError, describeRequest, type ShutdownRequest } from './request.ts';
import type { Shutdown } from './shutdown.ts';
import { notifySystemd } from './systemd.ts';
import { Terminal } from './terminal.ts';
import { Watchdog } from './watchdog.ts';

/** Everybody who is told of each step: the diagnostics channel, the log, and the measuring of progress in between. */
export class Observers {
  /** Whether nobody has said where texts go, not even nowhere. */
  readonly isUnset: boolean;
  readonly #shutdown: Shutdown;
  readonly #clock: Clock;
  readonly #interval: number;
  /** Where progress is shown; `undefined`: the logger is not ours, and takes it as lines. */
  readonly #terminal: Terminal | undefined;
  readonly #prefix: string;
  readonly #log: (entry: LogEntry) => void;
  readonly #name: string | undefined;
  readonly #limits: Limits;
  readonly #isWatched: boolean;
  readonly #hasSystemd: boolean;
  /** Made with the request, where it was asked for. */
  #watchdog: Watchdog | undefined = undefined;
  /** Set while a shutdown is under way. */
  #timer: Timer | undefined = undefined;
  /** The line of progress that the log had last. */
  #line = '';

  constructor(shutdown: Shutdown, options: ShutdownOptions, limits: Limits) {
    const { name, logger, progressInterval = 1_000 } = options;
    const isSilent = logger === undefined || logger === false;
    this.isUnset = logger === undefined;
    this.#shutdown = shutdown;
    this.#limits = limits;
    this.#isWatched = options.watchdog === true;
    this.#hasSystemd = options.systemd !== false;
    this.#clock = clockOf(options);
    this.#interval = progressInterval;
    this.#terminal = logger instanceof Terminal ? logger : undefined;
    this.#name = name;
    this.#prefix = name === undefined ? '' : `${name}: `;
    this.#log = logTo(isSilent ? undefined : logger, this.#prefix);
  }

  tell(event: ShutdownEvent): void {
    if (event.type === 'requested') {
      this.#measure();
      if (this.#hasSystemd) this.#try('systemd is not told', () => this.#notify(event.request));
      if (this.#isWatched) this.#try('there is no watchdog', () => this.#watch());
    }
    this.#watchdog?.tell(event);
    publish(this.#shutdown, event);
    const line = describeEvent(event);
    if (line !== undefined) this.#say(line[0], line[1], () => eventFields(event), line[2]);
    if (this.#isNews(event)) this.#show();
    if (event.type !== 'stopped') return;
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.print(event.report.exitCode === 0 ? 'info' : 'error');
  }

  /** A process or a thread may be refused, as by Node's permission model: the shutdown goes on without. */
  #try(what: string, start: () => void): void {
    try {
      start();
    } catch (error) {
      this.warn(`${what}: ${describeError(error)}`);
    }
  }

  warn(text: string): void {
    this.#say('warn', text, () => ({ event: 'warning' }));
  }

  #say(level: keyof Logger, text: string, fields: () => object, failure?: Failure): void {
    const name = this.#name === undefined ? {} : { shutdown: this.#name };
    this.#log({ level, text, fields: () => ({ ...name, ...fields() }), failure });
  }

  #notify(request: ShutdownRequest): void {
    notifySystemd(this.#limits, `shutting down: ${describeRequest(request)}`, (text) => this.warn(text));
  }

  #watch(): void {
    this.#watchdog = new Watchdog(this.#limits, (error) => {
      this.warn(`the watchdog has failed: ${describeError(error)}`);
    });
  }

  /** The report as it stands. */
  print(level: keyof Logger): void {
    const report = this.#shutdown.report();
    const text = formatReport(report, { colours: this.#terminal?.isTTY === true });
    this.#say(level, text, () => ({ event: 'report', report: JSON.parse(reportToJson(report)) }));
  }

  /** On a terminal the line is written over; a log gets one where there is something to wait for, and then now and then. */
  #isNews({ type }: ShutdownEvent): boolean {
    const { state, inFlight } = this.#shutdown.progress;
    if (this.#terminal?.isTTY === true) return type === 'state' || type === 'hook:start' || type === 'drained';
    return type === 'state' && state === 'draining' && inFlight > 0;
  }

  /** Nobody tells how much is in flight, so it is asked now and then; not a wait of anybody's. */
  #measure(): void {
    if (this.#interval === Number.POSITIVE_INFINITY) return;
    const tick = (): void => {
      this.#shutdown.measured();
      this.#show();
      this.#measure();
    };
    this.#timer = this.#clock.setTimer(Math.max(1, this.#interval), tick, { ref: false });
  }

  #show(): void {
    const { progress } = this.#shutdown;
    const line = describeProgress(progress);
    if (line === this.#line) return;
    this.#line = line;
    if (this.#terminal === undefined) {
      this.#say('info', line, () => ({ event: 'progress', ...progress }));
      return;
    }
    try {
      this.#terminal.progress(this.#prefix + line);
    } catch {}
  }
}

/** An event as fields of a log; its error is the entry's. */
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
