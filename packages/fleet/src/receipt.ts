/** What is known about one member that a cancel concerns. */
export interface NodeReceipt {
  /** The id of the member. */
  readonly node: string;
  /**
   * `silent`: no answer yet. `stopping`: the cancel was applied, and work still runs. `ended`: all work below the key has ended
   * there. `left`: the member has left in order, which it does after its last run has ended. `lost`: it gave no sign of life for
   * its `memberTtl`, and may still be working.
   */
  readonly state: 'silent' | 'stopping' | 'ended' | 'left' | 'lost';
  /** How many tokens of `fleet.token` the cancel has reached. */
  readonly tokens: number;
  /** How many runs were in progress below the key when the cancel was applied. */
  readonly runs: number;
  /** How many of them are in progress still. */
  readonly running: number;
  /** Their keys, at most 10. */
  readonly unfinished: readonly string[];
}

/** What is confirmed about a cancel. */
export interface CancelReceipt {
  /** The id of the cancel. */
  readonly id: string;
  /** The key, as a string. */
  readonly key: string;
  /**
   * `unrecorded`: the engine has not confirmed it. `recorded`: the engine has it. `delivered`: every live member has applied it.
   * `ended`: every run at or below the key has ended. `nobody`: every live member has answered, and none had a run or a token
   * below the key.
   */
  readonly state: 'unrecorded' | 'recorded' | 'delivered' | 'ended' | 'nobody';
  /** Empty for `until: 'recorded'`. */
  readonly nodes: readonly NodeReceipt[];
  /** The ids of the members that are lost. */
  readonly lost: readonly string[];
}
