/**
 * What two threads share about one piece of work: two numbers.
 *
 * [CANCEL] 0, or 1 once it is cancelled; the reason has been posted to the port before.
 * [STAGE]
 *     WAITING ──enter──► RUNNING ──leave──► ENDED, or OBEYED: it failed with the reason
 *        │                  └──────give up──► GIVEN_UP: its thread is ended
 *        └───withdraw──► WITHDRAWN: it never starts
 *
 * Invariant: of `enter` and `withdraw`, and of `leave` and `giveUp`, one wins; each is one atomic exchange.
 */

const CANCEL = 0;
const STAGE = 1;

const WAITING = 0;
const RUNNING = 1;
const ENDED = 2;
const WITHDRAWN = 3;
const OBEYED = 4;
const GIVEN_UP = 5;

export function newFlags(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

export function raise(flags: Int32Array): void {
  Atomics.store(flags, CANCEL, 1);
}

export function isRaised(flags: Int32Array): boolean {
  return Atomics.load(flags, CANCEL) === 1;
}

/** The work is about to start: says whether it still may. */
export function enter(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, WAITING, RUNNING) === WAITING;
}

/** The work has ended, its cleanup included: its outcome is on its way, unless it was given up before. */
export function leave(flags: Int32Array, isObeying: boolean): void {
  Atomics.compareExchange(flags, STAGE, RUNNING, isObeying ? OBEYED : ENDED);
}

/** Keeps work from starting: says whether it had not. */
export function withdraw(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, WAITING, WITHDRAWN) === WAITING;
}

/** Waits for the work no longer: says whether it had not ended. */
export function giveUp(flags: Int32Array): boolean {
  return Atomics.compareExchange(flags, STAGE, RUNNING, GIVEN_UP) === RUNNING;
}

export function isGivenUp(flags: Int32Array): boolean {
  return Atomics.load(flags, STAGE) === GIVEN_UP;
}

/** Whether it did not start, or failed with the reason: which does not arrive as it was sent. */
export function hasObeyed(flags: Int32Array): boolean {
  const stage = Atomics.load(flags, STAGE);
  return stage === OBEYED || stage === WITHDRAWN;
}
