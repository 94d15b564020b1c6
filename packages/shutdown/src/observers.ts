import type { Clock, Timer } from '@quiesce/cancellation-token';
import { publish } from './channel.ts';
import type { ShutdownEvent } from './events.ts';
import { checkLogger, type Logger, tolerant } from './logger.ts';
import { checkTime, clockOf, type Limits, type ShutdownOptions } from './options.ts';
import type { Shutdown } from './shutdown.ts';

/** Everybody who is told of each step: the diagnostics channel, the log, and the measuring of progress in between. */
export class Observers {
  readonly logger: Logger;
  readonly #shutdown: Shutdown;
  readonly #clock: Clock;
  readonly #interval: number;
  /** Set while a shutdown is under way. */
  #timer: Timer | undefined = undefined;

  constructor(shutdown: Shutdown, options: ShutdownOptions, _limits: Limits) {
    const { logger, progressInterval = 1_000 } = options;
    this.#shutdown = shutdown;
    this.#clock = clockOf(options);
    this.#interval = checkTime('progressInterval', progressInterval);
    this.logger = tolerant(logger === undefined || logger === false ? undefined : checkLogger(logger));
  }

  tell(event: ShutdownEvent): void {
    if (event.type === 'requested') this.#measure();
    publish(this.#shutdown, event);
    if (event.type === 'stopped' && this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
  }

  /** Nobody tells how much is in flight, so it is asked now and then; not a wait of anybody's. */
  #measure(): void {
    if (this.#interval === Number.POSITIVE_INFINITY) return;
    const tick = (): void => {
      this.#shutdown.measured();
      this.#measure();
    };
    this.#timer = this.#clock.setTimer(Math.max(1, this.#interval), tick, { ref: false });
  }
}
