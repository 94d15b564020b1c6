/** The state of one member in a receipt. */
export interface NodeReceipt {
  /** The id of the member. */
  readonly node: string;
  /**
   * `silent`: it has not answered yet. `stopping`: it has applied the cancel, and some work still runs. `ended`: it has applied the
   * cancel, and all work that the cancel covers has ended. `left`: it closed its fleet after its last run had ended. `lost`: it
   * gave no sign of life for its `memberTtl`, and may still be working.
   */
  readonly state: 'silent' | 'stopping' | 'ended' | 'left' | 'lost';
  /** How many tokens of `fleet.token` the cancel has reached. */
  readonly tokenCount: number;
  /** How many runs at or below the key were in progress when the cancel was applied. */
  readonly runCount: number;
  /** How many of these runs have not ended. */
  readonly runningCount: number;
  /** The keys of these runs, at most 10. */
  readonly unfinished: readonly string[];
}

/** The receipt of a cancel, with everything that is confirmed. */
export interface CancelReceipt {
  /** The id of the cancel. */
  readonly id: string;
  /** The key, as a string. */
  readonly key: string;
  /**
   * `unrecorded`: the engine has not confirmed the cancel. `recorded`: the engine has stored it. `delivered`: every live member has
   * applied it. `ended`: every run at or below the key has ended, on all live members. `nobody`: every live
   * member has answered that it had no run and no token at or below the key.
   */
  readonly state: 'unrecorded' | 'recorded' | 'delivered' | 'ended' | 'nobody';
  /** Empty for `until: 'recorded'`. */
  readonly nodes: readonly NodeReceipt[];
  /** The ids of the members that are lost. */
  readonly lost: readonly string[];
}
