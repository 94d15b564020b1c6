// When tasks are started, for little: reading the platform's clock costs a fifth of starting a trivial one.
//
//     NONE ──one is started──► FIRST ──another one──► KEPT ──the run is over──► NONE
//       └────────a task ends─────┘
//
// The first two of a run read the clock; the second asks a microtask to say when the run is over, and all others take what
// it has read. One alone asks for none, since that would cost more than the reading. A task ends in a run of its own.

import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { nativeThen } from './native-then.ts';

const NONE = 0;
const FIRST = 1;
const KEPT = 2;

let state: typeof NONE | typeof FIRST | typeof KEPT = NONE;
/** What counts while KEPT. */
let stamp = 0;

const settled = Promise.resolve();
const forget = (): void => {
  state = NONE;
};

/** The time, in whole ms, which cost no object. The clocks of tests may move within a run, and are asked each time. */
export function stampOf(clock: Clock): number {
  if (clock !== systemClock) return Math.floor(clock.now());
  if (state === KEPT) return stamp;
  const now = Math.floor(clock.now());
  if (state === FIRST) {
    // Before it counts: where the stack ends there may be no room for it.
    nativeThen.call(settled, forget);
    stamp = now;
    state = KEPT;
  } else {
    state = FIRST;
  }
  return now;
}

/** A task ends: whoever started one before did so in an earlier run. */
export function taskEnds(): void {
  if (state === FIRST) state = NONE;
}
