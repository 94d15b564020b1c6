/**
 * The interface of an engine: the methods that a fleet needs from a database. Every agreement of a fleet is one atomic step of the
 * engine.
 *
 * Invariants of each engine, which `engineContract` of `@quiesce/fleet/testing` checks
 *  E1. The records of a fulfilled `append` are as durable as the engine promises. `append` is idempotent by id.
 *  E2. A `read` that begins after a fulfilled `append`, on any connection, returns its records.
 *  E3. The answer of `read` depends only on the cursor. It is `whole` unless the engine can prove that no record is missing between
 *      the cursor and the answer.
 *  E4. `left` is counted by the engine's clock.
 *  E5. A call of `changed` may be late, doubled or missing. `broken` ends the subscription.
 *  E6. `hold` never grants more than `permits` permits, by the engine's clock. One holder has at most one permit. With `fence`,
 *      `hold` only renews. The fences of a name grow.
 *  E7. `release` with another fence does nothing.
 *  E8. `listen` returns `push` only after its own test hint has arrived.
 */

/** A record to store. */
export interface FleetRecord {
  /** `cancels`, or the id of a member, for its inbox. */
  readonly log: string;
  /** A second record of the same log and id changes nothing. */
  readonly id: string;
  /** The text that is stored. */
  readonly body: string;
  /** How long the engine keeps it, in ms. */
  readonly ttl: number;
}

/** A record that was read. */
export interface StoredRecord {
  /** The id of the record. */
  readonly id: string;
  /** The text that was stored. */
  readonly body: string;
  /** How much longer the engine keeps it, in ms of its clock: above 0. */
  readonly left: number;
}

/** The answer of `read`. */
export interface LogPage {
  /** The records, in the order in which they were stored. */
  readonly records: readonly StoredRecord[];
  /** Where the next read begins. Only the engine interprets it. */
  readonly cursor: unknown;
  /** Whether this page begins at the first record of the log, rather than after the cursor. */
  readonly whole: boolean;
  /** Whether another read is needed to get everything. */
  readonly more: boolean;
}

/** A member, as the engine knows it. */
export interface MemberRecord {
  /** The id of the member. */
  readonly id: string;
  /** The ms until it counts as lost, by the engine's clock. 0 or less: it is lost. */
  readonly left: number;
  /** Whether it has left the fleet with `leave`. */
  readonly gone: boolean;
}

/** One permit of a slot, held or wanted. */
export interface SlotRequest {
  /** The name of the slot. */
  readonly name: string;
  /** The holder of the permit. */
  readonly holder: string;
  /** In ms. */
  readonly ttl: number;
  /** How many holders the slot may have. */
  readonly permits: number;
  /** The fence of the permit to renew. `undefined` acquires a permit. */
  readonly fence?: number | undefined;
}

/** The answer of `hold`: the permit is held; or a permit may be free in `wait` ms; or the permit to renew is lost. */
export type SlotAnswer = { readonly fence: number } | { readonly wait: number } | { readonly lost: true };

/** The subject of a hint. */
export type FleetTopic = 'cancels' | 'inbox' | 'slots';

/** Receives the hints of a subscription. */
export interface FleetListener {
  /** A hint that something has changed. */
  changed(topic: FleetTopic): void;
  /** Reports that the subscription has ended. Called at most once. */
  broken(error: unknown): void;
}

/** A subscription of one member. */
export interface FleetSubscription {
  /** `push`: the database sends hints. `polling`: the engine polls, and calls `changed` when something may have changed. */
  readonly hints: 'push' | 'polling';
  /** Rejects when the subscription no longer works. */
  check(): Promise<void>;
  /** Ends the subscription. */
  close(): Promise<void>;
}

/** The connection of one fleet to an engine. Each method is one atomic step of the engine. */
export interface EngineConnection {
  /** Subscribes a member to hints about new cancels, new records of its inbox, and released slots. */
  listen(me: string, on: FleetListener): Promise<FleetSubscription>;
  /** Stores at most 500 records of one or several logs: all of them, or none. */
  append(records: readonly FleetRecord[]): Promise<void>;
  /**
   * Reads at most 500 records of a log, from a cursor.
   *
   * @param log `cancels` or the id of a member
   * @param after the cursor of an earlier answer; `undefined`: from the beginning
   */
  read(log: string, after: unknown): Promise<LogPage>;
  /**
   * Adds a member or renews its membership, and lists all members, in one step.
   *
   * @param me `ttl`: ms until the member counts as lost; `keep`: ms for which it is listed after that, or after it has left.
   *   `undefined` for a caller, which is no member
   */
  meet(me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined): Promise<MemberRecord[]>;
  /** Records that a member has left the fleet. */
  leave(id: string): Promise<void>;
  /** Acquires or renews a permit of a slot. */
  hold(slot: SlotRequest): Promise<SlotAnswer>;
  /** Gives a permit back. */
  release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<void>;
  /** Closes the connections that the engine has opened for this fleet. The user's client stays open. */
  close?(): Promise<void>;
}

/** Options for `connect`. */
export interface ConnectOptions {
  /** The limit of one call, in ms. A call that takes longer may end its connection, never the user's client. */
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
   * @param retention how long records of `cancels` are kept, in ms
   * @throws (rejects) SchemaError when the database is not prepared; RangeError for another `retention` than the stored one
   */
  connect(namespace: string, retention: number, options?: ConnectOptions): Promise<EngineConnection>;
}
