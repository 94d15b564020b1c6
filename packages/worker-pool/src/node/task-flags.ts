/**
 * The state of one task that two threads share, as two numbers.
 *
 * [CANCEL] 0, or 1 once the task is cancelled. The reason has been posted to the port before.
 * [STAGE]
 *     WAITING ──enter──► RUNNING ──markEnded──► ENDED, or OBEYED when it failed with the reason
 *        │                  └──────giveUp──► GIVEN_UP: its thread is terminated
 *        └───withdraw──► WITHDRAWN: it never starts
 *
 * Invariant: `enter` and `withdraw` exclude each other, and so do `markEnded` and `giveUp`. Each is one atomic exchange.
 */

const CANCEL = 0;
const STAGE = 1;

const WAITING = 0;
const RUNNING = 1;
const ENDED = 2;
const WITHDRAWN = 3;
const OBEYED = 4;
const GIVEN_UP = 5;

export function makeTaskFlags(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

export function setCancelled(flags: Int32Array): void {
  Atomics.store(flags, CANCEL, 1);
}

export function isCancelled(flags: Int32Array): boolean {
  return Atomics.load(flags, CANCEL) === 1;
}

/** Marks the task as running. Returns false when it was withdrawn. */
export function enter(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, WAITING, RUNNING) === WAITING;
}

/** Marks the task as ended, cleanup included: its outcome is on its way, unless the task was given up before. */
export function markEnded(flags: Int32Array, isObeying: boolean): void {
  Atomics.compareExchange(flags, STAGE, RUNNING, isObeying ? OBEYED : ENDED);
}

/** Keeps the task from starting. Returns false when it has started. */
export function withdraw(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, WAITING, WITHDRAWN) === WAITING;
}

/** Gives up a running task. Returns false when it is not running. */
export function giveUp(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, RUNNING, GIVEN_UP) === RUNNING;
}

export function isGivenUp(flags: Int32Array): boolean {
  return Atomics.load(flags, STAGE) === GIVEN_UP;
}

/** Whether the task never started, or failed with the reason. The reason arrives as a copy then. */
export function endedByReason(flags: Int32Array): boolean {
  const stage = Atomics.load(flags, STAGE);
  return stage === OBEYED || stage === WITHDRAWN;
}
