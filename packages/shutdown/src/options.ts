import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkTime, show } from '@quiesce/internal';
import { type Logger, sinkOf } from './logger.ts';

/** Time limits of a shutdown, in milliseconds from 0 to `Infinity`. */
export interface ShutdownLimits {
  /** How long readiness is false before anything stops accepting, so that load balancers notice. Default: 0. */
  readonly readinessDelay?: number | undefined;
  /** How long work in progress continues before it is cancelled. Default: 10,000. */
  readonly drainTimeout?: number | undefined;
  /** How long cancelled work is awaited. Default: 2,000. */
  readonly cancelTimeout?: number | undefined;
  /** The limit of each hook without a `timeout` of its own. Default: 5,000. */
  readonly hookTimeout?: number | undefined;
  /** The total deadline, at which the shutdown is forced. Default: 25,000. */
  readonly timeout?: number | undefined;
  /** The limit of everything that is left after a force, together. Default: 1,000. */
  readonly forceTimeout?: number | undefined;
  /** The limit of all hooks of the phase `final` together, also after a force. Default: 2,000. */
  readonly finalTimeout?: number | undefined;
}

/** Options for `new Shutdown`. */
export interface ShutdownOptions extends ShutdownLimits {
  /** The name of the shutdown in log lines and reports. Default: none. */
  readonly name?: string | undefined;
  /** Requests the shutdown when it is cancelled. Its reason becomes the shutdown's reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** The interval, in ms, at which progress is measured during a shutdown, for `watch` and the progress line. Default: 1,000. */
  readonly progressInterval?: number | undefined;
  /** The clock for all limits. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
  /**
   * The logger: a function that gets each `LogEvent`, `console`, or a logger of pino, Fastify, bunyan, winston or NestJS.
   * Default: `false`, which logs nothing.
   */
  readonly logger?: Logger | false | undefined;
  /** Reports guards that were collected undisposed, with the place where they were made. Default: false. */
  readonly leakDetection?: boolean | undefined;
  /**
   * Starts a thread with the shutdown, which kills the process when its event loop is still blocked at the deadline. A hook
   * that blocks the event loop stops every timer. The thread uses the clock of the platform, not `clock`. Default: false.
   */
  readonly watchdog?: boolean | undefined;
  /** Notifies systemd of the shutdown when `NOTIFY_SOCKET` is set. Default: true. */
  readonly systemd?: boolean | undefined;
}

/** All limits, with their defaults filled in. */
export type Limits = { readonly [K in keyof ShutdownLimits]-?: number };

const defaults: Limits = {
  readinessDelay: 0,
  drainTimeout: 10_000,
  cancelTimeout: 2_000,
  hookTimeout: 5_000,
  timeout: 25_000,
  forceTimeout: 1_000,
  finalTimeout: 2_000,
};

/** The names of the limits. */
export const limitNames: readonly string[] = Object.keys(defaults);

/** The names of the options of `new Shutdown`. */
export const shutdownOptions: readonly string[] = [
  ...limitNames,
  ...['name', 'signal', 'progressInterval', 'clock', 'logger'],
];
export const shutdownFlags: readonly string[] = ['leakDetection', 'watchdog', 'systemd'];

/** Checks the options, and returns the limits. Errors name the call of the user. */
export function checkShutdownOptions(call: string, options: ShutdownOptions): Limits {
  const { name, signal, logger, progressInterval = 0 } = options;
  if (name !== undefined) checkName(`${call}: name`, name);
  if (signal !== undefined) CancellationToken.from(signal, `${call}: signal`);
  if (logger !== undefined && logger !== false) sinkOf(call, logger);
  checkTime(`${call}: progressInterval`, progressInterval);
  return limitsOf(call, options);
}

/** Checks the limits, and fills in the defaults. Errors name the call of the user. */
export function limitsOf(call: string, options: ShutdownLimits): Limits {
  const limits: Record<string, number> = {};
  for (const [key, preset] of Object.entries(defaults)) {
    const { [key as keyof Limits]: value = preset } = options;
    limits[key] = checkTime(`${call}: ${key}`, value);
  }
  return limits as unknown as Limits;
}

/** Refuses values that are not a name. */
export function checkName(call: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return;
  throw new TypeError(`${call}: expected a name that is not empty, got ${show(value)}`);
}

/** Returns the given clock, or the clock of the platform. */
export function clockOf(options: { readonly clock?: Clock | undefined }): Clock {
  return options.clock ?? systemClock;
}

/** Returns the given token, or `undefined` when none was given. */
export function tokenOf(signal: CancellationToken | AbortSignal | undefined): CancellationToken | undefined {
  return signal === undefined ? undefined : CancellationToken.from(signal);
}
