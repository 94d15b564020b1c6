/**
 * The interface of an engine: what a fleet needs of a database. Every agreement of a fleet is one atomic step of the engine.
 *
 * Invariants of each engine, which `engineContract` of `@quiesce/fleet/testing` checks
 *  E1. A fulfilled `append` is as durable as the engine promises, and idempotent by id.
 *  E2. A `read` that begins after it, on any connection, returns the record.
 *  E3. `read` is a function of its cursor. It says `whole` unless the engine can prove that nothing lies between the cursor and
 *      the answer.
 *  E4. `left` is counted by the engine's clock.
 *  E5. `changed` may be late, doubled or missing. `broken` ends the subscription.
 *  E6. `hold` never grants more than `permits` by the engine's clock. The same holder is granted once. With `fence` it only
 *      renews. The fences of a name grow.
 *  E7. `release` with another fence does nothing.
 *  E8. `listen` says `push` only after a hint of its own has arrived.
 */

/** A record that is to be stored. */
export interface FleetRecord {
  /** `cancels`, or the id of the member whose inbox it is. */
  readonly log: string;
  /** A second record of the same log and id changes nothing. */
  readonly id: string;
  readonly body: string;
  /** How long it is kept, in ms. */
  readonly ttl: number;
}

/** A record that was read. */
export interface StoredRecord {
  readonly id: string;
  readonly body: string;
  /** How much longer it is kept, in ms of the engine's clock: above 0. */
  readonly left: number;
}

/** The answer of `read`. */
export interface LogPage {
  readonly records: readonly StoredRecord[];
  /** Where the next read begins. Only the engine that made it can read it. */
  readonly cursor: unknown;
  /** Whether the records from here on are all records of the log, rather than those since the cursor. */
  readonly whole: boolean;
  /** Whether another read is needed to get everything. */
  readonly more: boolean;
}

/** A member, as the engine knows it. */
export interface MemberRecord {
  readonly id: string;
  /** The ms until it counts as lost, by the engine's clock. 0 or less: it is lost. */
  readonly left: number;
  /** Whether it has left in order. */
  readonly gone: boolean;
}

/** One permit of a slot, held or wanted. */
export interface SlotRequest {
  readonly name: string;
  readonly holder: string;
  /** In ms. */
  readonly ttl: number;
  readonly permits: number;
  /** Given to renew. Absent to acquire. */
  readonly fence?: number | undefined;
}

/** The answer of `hold`: the permit is held, or may be free in `wait` ms, or is no longer held. */
export type SlotAnswer = { readonly fence: number } | { readonly wait: number } | { readonly lost: true };

/** What a hint is about. */
export type FleetTopic = 'cancels' | 'inbox' | 'slots';

/** Receives the hints of a subscription. */
export interface FleetListener {
  changed(topic: FleetTopic): void;
  /** Ends the subscription. Called once at most. */
  broken(error: unknown): void;
}

/** A subscription of one member. */
export interface FleetSubscription {
  /** Whether hints arrive by themselves. Otherwise the engine polls, and calls `changed` when it has found something. */
  readonly hints: 'push' | 'polling';
  /** Rejects when the subscription no longer works. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The connection of one fleet to an engine. Each method is one atomic step of the engine. */
export interface EngineConnection {
  /** Subscribes a member to hints: new cancels, new records of its inbox, slots that were released. */
  listen(me: string, on: FleetListener): Promise<FleetSubscription>;
  /** Stores records of one or several logs, all or none. At most 500. */
  append(records: readonly FleetRecord[]): Promise<void>;
  /**
   * Reads a log from a cursor on, at most 500 records.
   *
   * @param log `cancels` or the id of a member
   * @param after the cursor of an earlier answer; `undefined`: from the beginning
   */
  read(log: string, after: unknown): Promise<LogPage>;
  /**
   * Makes or keeps a process a member, and lists all members, in one step.
   *
   * @param me `ttl`: ms until it counts as lost; `keep`: ms for which it is listed after that, and after it has left. Absent for
   *   a caller that is no member
   */
  meet(me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined): Promise<MemberRecord[]>;
  /** Records that a member has left in order. */
  leave(id: string): Promise<void>;
  /** Acquires or renews a permit of a slot. */
  hold(slot: SlotRequest): Promise<SlotAnswer>;
  /** Gives a permit back. */
  release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<void>;
  /** Ends what the engine has opened for this fleet. The user's own client stays open. */
  close?(): Promise<void>;
}

/** What a fleet tells the engine about itself. */
export interface ConnectOptions {
  /** The limit for one call, in ms. A call that takes longer costs its connection, never the user's client. */
  readonly requestTimeout: number;
}

/**
 * An engine, made by `postgresEngine`, `redisEngine`, `natsEngine` or `memoryEngine`. Implement it to use another database, and
 * check it with `engineContract`.
 */
export interface FleetEngine {
  /**
   * Connects a fleet. The engine stores `retention` with the first fleet of a namespace.
   *
   * @param namespace separates fleets that share one database
   * @param retention ms for which records of `cancels` are kept
   * @throws (rejects) SchemaError when the database is not prepared; RangeError for another `retention` than the stored one
   */
  connect(namespace: string, retention: number, options?: ConnectOptions): Promise<EngineConnection>;
}
