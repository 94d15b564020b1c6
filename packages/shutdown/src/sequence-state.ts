import { CancellationToken, type Clock, reportUncaught } from '@quiesce/cancellation-token';
import type { ShutdownEvent } from './events.ts';
import type { Limits } from './options.ts';
import type { ReportedError } from './report.ts';
import type { ShutdownRequest } from './request.ts';
import type { ShutdownForce, ShutdownState } from './state.ts';

/** The position of a shutdown: the index of a phase in `phases`, and one before and one after them. */
const RUNNING = -1;
export const STOPPING = 0;
export const DRAINING = 1;
export const CLEANUP = 2;
export const FINAL = 3;
export const STOPPED = 4;

export type Position =
  | typeof RUNNING
  | typeof STOPPING
  | typeof DRAINING
  | typeof CLEANUP
  | typeof FINAL
  | typeof STOPPED;

const states: readonly ShutdownState[] = ['running', 'stopping', 'draining', 'cleanup', 'cleanup', 'stopped'];

/** The state that the steps of one shutdown share: position, request, times, tokens and errors. */
export class SequenceState {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly stopNow: CancellationToken = new CancellationToken({ name: 'stop now' });
  readonly stopAccepting: CancellationToken = this.stopNow.childToken({ name: 'stop accepting' });
  /** Cancelled by a force: ends every wait. */
  readonly forced: CancellationToken = new CancellationToken({ name: 'forced' });
  readonly errors: ReportedError[] = [];
  /** The time at which each phase began, and at which the last one ended, in ms of the clock. */
  readonly times: number[] = [];
  /** Set by the sequence. It only grows. */
  position: Position = RUNNING;
  /** Set once, by the first request. */
  request: ShutdownRequest | undefined = undefined;
  /** The reason of both tokens. Set with `request`. */
  reason: unknown = undefined;
  /** The time of day at the request. Set with `request`. */
  wallStart = 0;
  /** Set once, by the first force. */
  force: ShutdownForce | undefined = undefined;
  /** Set when time has run out for work in progress. */
  isOverdue = false;
  /** Times at which work in progress must end, in ms of the clock. Each is set when its limit starts to count. */
  end: number = Number.POSITIVE_INFINITY;
  cutOffAt: number = Number.POSITIVE_INFINITY;
  drainEnd: number = Number.POSITIVE_INFINITY;
  forceEnd: number = Number.POSITIVE_INFINITY;
  finalEnd: number = Number.POSITIVE_INFINITY;
  /** Receives each step. It must not throw. */
  readonly emit: (event: ShutdownEvent) => void;

  constructor(clock: Clock, limits: Limits, emit: (event: ShutdownEvent) => void) {
    this.clock = clock;
    this.limits = limits;
    this.emit = emit;
  }

  get current(): ShutdownState {
    return states[this.position + 1] as ShutdownState;
  }

  /** Returns the time from the request to the end, or until now. 0 before the request. */
  elapsed(): number {
    const [start] = this.times;
    if (start === undefined) return 0;
    return (this.times[STOPPED] ?? this.clock.now()) - start;
  }

  enter(position: typeof DRAINING | typeof CLEANUP | typeof FINAL | typeof STOPPED): void {
    const before = this.current;
    this.position = position;
    this.times[position] = this.clock.now();
    if (this.current !== before && position !== STOPPED) this.emit({ type: 'state', state: this.current });
  }

  /** Records an error, which makes the exit code 1. */
  recordError(where: string, error: unknown): void {
    this.errors.push({ where, error });
    this.emit({ type: 'error', where, error });
  }

  /** Records a failure of a function that the shutdown called. After the report it goes to the uncaught handler instead. */
  readonly recordFailure = (where: string, error: unknown): void => {
    if (this.position === STOPPED) reportUncaught(new Error(`${where}: it failed`, { cause: error }));
    else this.recordError(where, error);
  };
}
