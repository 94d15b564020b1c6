/** The states of a shutdown, in their order. */
export type ShutdownState = 'running' | 'stopping' | 'draining' | 'cleanup' | 'stopped';

/** The cause that forced a shutdown. */
export interface ShutdownForce {
  /** `signal`: another signal. `deadline`: the total `timeout`. `call`: `force()`. */
  readonly by: 'signal' | 'deadline' | 'call';
  /** The name of the signal. Present only when `by` is `signal`. */
  readonly signal?: string;
}

/** The progress of a shutdown. */
export interface ShutdownProgress {
  /** The current state. */
  readonly state: ShutdownState;
  /** How many items are in progress: in everything that was added, and in guards. */
  readonly inFlightCount: number;
  /** The names of the hooks and drainables that the shutdown waits for now. */
  readonly waitingFor: readonly string[];
  /** Time since the request, in ms. 0 before the request. */
  readonly elapsedMs: number;
}
