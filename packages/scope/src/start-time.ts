// The start times of tasks, at low cost: reading the platform's clock costs a fifth of starting a trivial task.
//
//     NONE ──a task starts──► FIRST ──another one──► KEPT ──the synchronous run ends──► NONE
//       └──────a task ends──────┘
//
// The first two tasks of one synchronous run read the clock. The second also schedules a microtask that ends the run. All later
// tasks of the run take the second reading. A single task schedules no microtask, which would cost more than the reading. A
// task ends in a run of its own.

import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { nativeThen } from './task-promise.ts';

/** Distinguishes NONE from FIRST. Not read in the state KEPT. */
let isFirst = false;
/** The clock of the kept reading, which is the platform's. `undefined` outside the state KEPT. */
let keptClock: Clock | undefined;
let keptTime = 0;

const settled = Promise.resolve();
const endRun = (): void => {
  keptClock = undefined;
};

/** The time in whole milliseconds: small integers allocate nothing. Short, so that V8 inlines it into `spawn`. */
export function startTimeOf(clock: Clock): number {
  return clock === keptClock ? keptTime : readTime(clock);
}

/** Reads other clocks each time: the clock of a test may move within a run. */
function readTime(clock: Clock): number {
  const now = Math.floor(clock.now());
  if (clock !== systemClock) return now;
  if (isFirst) {
    // The call first: if the stack overflows in it, nothing has changed.
    nativeThen.call(settled, endRun);
    keptTime = now;
    keptClock = clock;
  }
  isFirst = !isFirst;
  return now;
}

/** A task ends: the latest start was in an earlier run. */
export function onTaskEnd(): void {
  isFirst = false;
}
