// When tasks are started, for little: reading the platform's clock costs a fifth of starting a trivial one.
//
//     NONE ──one is started──► FIRST ──another one──► KEPT ──the run is over──► NONE
//       └────────a task ends─────┘
//
// The first two of a run read the clock; the second asks a microtask to say when the run is over, and all others take what
// it has read. One alone asks for none, since that would cost more than the reading. A task ends in a run of its own.

import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { nativeThen } from './native-then.ts';

/** NONE and FIRST; in the state KEPT it is not looked at. */
let isFirst = false;
/** The clock whose reading counts, in the state KEPT: the platform's. */
let kept: Clock | undefined;
let stamp = 0;

const settled = Promise.resolve();
const forget = (): void => {
  kept = undefined;
};

/** The time, in whole ms, which cost no object. As short as can be, so that V8 puts it into `spawn`. */
export function stampOf(clock: Clock): number {
  return clock === kept ? stamp : read(clock);
}

/** The clocks of tests may move within a run, and are asked each time. */
function read(clock: Clock): number {
  const now = Math.floor(clock.now());
  if (clock !== systemClock) return now;
  if (isFirst) {
    // Before it counts: where the stack ends there may be no room for it.
    nativeThen.call(settled, forget);
    stamp = now;
    kept = clock;
  }
  isFirst = !isFirst;
  return now;
}

/** A task ends: whoever started one before did so in an earlier run. */
export function taskEnds(): void {
  isFirst = false;
}
