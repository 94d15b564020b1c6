import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkTime, show } from '@quiesce/internal';
import { checkLogger, type Logger, type NestLogger } from './logger.ts';

/** Time limits of a shutdown, in milliseconds from 0 to `Infinity`. */
export interface ShutdownLimits {
  /** How long readiness is false before anything stops accepting: until balancers have noticed. Default: 0. */
  readonly readinessDelay?: number | undefined;
  /** How long what is in flight goes on before it is cancelled. Default: 10,000. */
  readonly drainTimeout?: number | undefined;
  /** How long what was cancelled is awaited. Default: 2,000. */
  readonly cancelTimeout?: number | undefined;
  /** How long each hook has, unless it says otherwise. Default: 5,000. */
  readonly hookTimeout?: number | undefined;
  /** The total deadline, at which the shutdown is forced. Default: 25,000. */
  readonly timeout?: number | undefined;
  /** How long everything that is left has once forced, all together. Default: 1,000. */
  readonly forceTimeout?: number | undefined;
  /** How long the hooks of the level `final` have, all together, also once forced. Default: 2,000. */
  readonly finalTimeout?: number | undefined;
}

/** What can be said of a new shutdown. */
export interface ShutdownOptions extends ShutdownLimits {
  /** How texts call it; default: none. */
  readonly name?: string | undefined;
  /** Asks for the shutdown when it is cancelled; its reason is the reason that everybody sees. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** How often, in ms, progress is measured while somebody waits: for the watch and the progress line. Default: 1,000. */
  readonly progressInterval?: number | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
  /** Where texts go: console, pino, a logger of NestJS, or whatever has these methods; `false`, the default: nowhere. */
  readonly logger?: Logger | NestLogger | false | undefined;
  /** Names guards that were collected undisposed, with the place where they were made. Default: false. */
  readonly leakDetection?: boolean | undefined;
  /**
   * Starts a thread with the shutdown, which kills the process if its event loop has not turned by the deadline: a hook
   * that spins stops every timer. On the platform's clock, whatever `clock` is. Default: false.
   */
  readonly watchdog?: boolean | undefined;
  /** Tells systemd when `NOTIFY_SOCKET` is set. Default: true. */
  readonly systemd?: boolean | undefined;
}

/** All limits, none left open. */
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

/** The options of `new Shutdown`. */
export const shutdownOptions: readonly string[] = [
  ...limitNames,
  ...['name', 'signal', 'progressInterval', 'clock', 'logger'],
];
export const shutdownFlags: readonly string[] = ['leakDetection', 'watchdog', 'systemd'];

/** Refuses values that are none, in the name of the call that the user wrote. Returns the limits. */
export function checkShutdownOptions(call: string, options: ShutdownOptions): Limits {
  const { name, signal, logger, progressInterval = 0 } = options;
  if (name !== undefined) checkName(`${call}: name`, name);
  if (signal !== undefined) CancellationToken.from(signal, `${call}: signal`);
  if (logger !== undefined && logger !== false) checkLogger(call, logger);
  checkTime(`${call}: progressInterval`, progressInterval);
  return limitsOf(call, options);
}

/** Fills in the defaults, and refuses times that are none in the name of the call that the user wrote. */
export function limitsOf(call: string, options: ShutdownLimits): Limits {
  const limits: Record<string, number> = {};
  for (const [key, preset] of Object.entries(defaults)) {
    const { [key as keyof Limits]: value = preset } = options;
    limits[key] = checkTime(`${call}: ${key}`, value);
  }
  return limits as unknown as Limits;
}

/** Refuses what is no name. */
export function checkName(call: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return;
  throw new TypeError(`${call}: expected a name that is not empty, got ${show(value)}`);
}

/** The clock given, or the platform's. */
export function clockOf(options: { readonly clock?: Clock | undefined }): Clock {
  return options.clock ?? systemClock;
}

/** The token given; `undefined`: none. */
export function tokenOf(signal: CancellationToken | AbortSignal | undefined): CancellationToken | undefined {
  return signal === undefined ? undefined : CancellationToken.from(signal);
}
