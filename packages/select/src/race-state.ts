// The states and the record of a race. race.ts explains them at its head.

import { ignore } from '@quiesce/internal';
import type { AnyOutcome } from './branches.ts';
import type { MISSED } from './pattern.ts';
import type { CancelWaiter, Entry } from './race-entries.ts';
import type { LoserState } from './race-settle.ts';
import type { Settings } from './settings.ts';

/** The states of a race. All states after DECIDED belong to its end. */
export const RACING = 0;
export const PAUSED = 1;
export const DECIDED = 2;
export const CLEANING = 3;
export const GIVEN_UP = 4;

/** The states of an entry: polled; off for this round, by its pattern; or off for good. */
export const ON = 0;
export const SKIPPED = 1;
export const FINISHED = 2;

/** Whether a poll pass is running, and whether something woke the race during it. */
export const IDLE = 0;
export const POLLING = 1;
export const POLL_AGAIN = 2;

/** A plain record: engines initialize private fields slowly. A select is RACING from the start. */
export class Race {
  /** The first entry in order of declaration, or `undefined` when every branch is off; set by `createRace`. */
  first: Entry | undefined = undefined;
  state: number = RACING;
  /** A poll may run any code and wake this same race. Then another pass follows the running one. */
  pass: number = IDLE;
  /** Set while functions are being started: a decision waits until the one that starts has returned. */
  isStarting = false;
  /** The number of entries that are ON. */
  onCount = 0;
  /** Whether all branches can become off; set by `createRace`. */
  canRunOut = false;
  /** Whether a branch is a function or a promise; set by `createRace`. */
  hasWork = false;
  /** The number of entries that can be ready from the start: not functions, and not new promises. Set by `createRace`. */
  pollableCount = 0;
  /** The entry that won or failed first; set by a decision. After a decision, `undefined` means that the race itself ended. */
  winner: Entry | undefined = undefined;
  /** Set by a decision when a value won, otherwise `undefined`. */
  outcome: AnyOutcome | undefined = undefined;
  /** Losing functions and errors, or `undefined` in the many races without them. */
  losers: LoserState | undefined = undefined;
  /** The number of branches, including those that are off; set by `createRace`. */
  branchCount = 0;
  readonly settings: Settings;
  /** The waiter on the race's own token, or `undefined` without `signal`; set by `createRace`. */
  cancelWaiter: CancelWaiter | undefined = undefined;
  /** Set by `createPromise`, with `reject`. Resolves with `undefined` when no branch is left. */
  resolve: (outcome: AnyOutcome | typeof MISSED | undefined) => void = ignore;
  reject: (error: unknown) => void = ignore;

  constructor(settings: Settings) {
    this.settings = settings;
  }
}
