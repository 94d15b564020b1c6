/**
 * The state of one task that two threads share, as three numbers, and the reason of its cancellation.
 *
 * [CANCEL] 0, or 1 once the task is cancelled. The reason has been written, and posted to the port, before.
 * [STAGE]
 *     WAITING ──enter──► RUNNING ──markEnded──► ENDED, or OBEYED when it failed with the reason
 *        │                  └──────giveUp──► GIVEN_UP: its thread is terminated
 *        └───withdraw──► WITHDRAWN: it never starts
 * [LENGTH] the number of bytes of the reason, which follow.
 *
 * Invariant: `enter` and `withdraw` exclude each other, and so do `markEnded` and `giveUp`. Each is one atomic exchange.
 *
 * Where memory cannot be shared, each side has a copy, and messages keep the copies in step: see `isShared`.
 */

import { unwireBytes, type WiredReason, wireBytes } from './wire-reason.ts';

const CANCEL = 0;
const STAGE = 1;
const LENGTH = 2;
/** Where the reason begins, in bytes. */
const REASON = 3 * Int32Array.BYTES_PER_ELEMENT;
/** Large enough for names and messages of errors. A longer reason is cut. */
const BYTES = 2_048;

const WAITING = 0;
const RUNNING = 1;
const ENDED = 2;
const WITHDRAWN = 3;
const OBEYED = 4;
const GIVEN_UP = 5;

export function makeTaskFlags(isShared: boolean): Int32Array {
  return new Int32Array(isShared && canShare() ? new SharedArrayBuffer(BYTES) : new ArrayBuffer(BYTES));
}

/** Browsers share memory only between isolated pages and their workers. Other runtimes have no such property. */
function canShare(): boolean {
  return typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated !== false;
}

/** Whether the other side sees a change at once. */
export function isShared(flags: Int32Array): boolean {
  return !(flags.buffer instanceof ArrayBuffer);
}

export function setCancelled(flags: Int32Array, reason: unknown): void {
  const bytes = wireBytes(reason, BYTES - REASON);
  new Uint8Array(flags.buffer, REASON).set(bytes);
  flags[LENGTH] = bytes.length;
  Atomics.store(flags, CANCEL, 1);
}

export function isCancelled(flags: Int32Array): boolean {
  return Atomics.load(flags, CANCEL) === 1;
}

/** Returns the reason of cancelled flags. */
export function reasonIn(flags: Int32Array): WiredReason {
  // A copy: a decoder refuses shared memory.
  return unwireBytes(new Uint8Array(flags.buffer, REASON, flags[LENGTH]).slice());
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
