import type { CancellationToken, Clock } from '@quiesce/cancellation-token';
import type { EngineUnavailableError } from './errors.ts';
import type { FleetState, LinkCounters } from './link.ts';
import type { CancelUntil } from './pending-cancel.ts';

/** Options for `run`. */
export interface FleetRunOptions {
  /** Also cancels the run. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * After how many ms without an answer of the engine the run is cancelled, with an {@link EngineUnavailableError}: three times
   * `reread` or more. Without the engine, no cancels arrive. Default: `Infinity`.
   */
  readonly unreachable?: number | undefined;
}

/** Options for `cancel`. */
export interface FleetCancelOptions {
  /**
   * The state to wait for. `recorded` (the default): the engine has stored the cancel, and every live member will read it.
   * `delivered`: every live member has applied it. `ended`: every run at or below the key has ended, on all live members.
   */
  readonly until?: CancelUntil | undefined;
  /** Ends the wait after this many ms, from 1 to 2^31-1. The cancel stays in force. Default: 10,000. */
  readonly timeout?: number | undefined;
  /** How many ms the cancel covers runs that start later, from 1,000 to `retention`. Default: `retention`. */
  readonly ttl?: number | undefined;
  /** Ends the wait. The cancel stays in force. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** The state of a fleet in this process, as plain JSON. */
export interface FleetInspection {
  /** The id of this member. */
  readonly id: string;
  /** As in `state`. */
  readonly link: FleetState['link'];
  /** As in `state`. */
  readonly hints: FleetState['hints'];
  /** As `fleet.age`. */
  readonly ageMs: number;
  /** The runs that have not ended. */
  readonly runs: readonly { readonly key: string; readonly ageMs: number; readonly isCancelled: boolean }[];
  /** The leases that are held. */
  readonly leases: readonly { readonly name: string; readonly fence: number; readonly leftMs: number }[];
  /** How many cancels this node keeps. */
  readonly cancelCount: number;
  /** The counters of the link. */
  readonly counters: Readonly<LinkCounters>;
}

/** The checked options of `joinFleet`. */
export interface FleetSettings {
  readonly clock: Clock;
  readonly id: string;
  readonly isMember: boolean;
  readonly reread: number;
  readonly memberTtl: number;
  readonly lostFor: number;
  readonly requestTimeout: number;
  readonly retention: number;
}
