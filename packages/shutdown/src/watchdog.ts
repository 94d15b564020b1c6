/**
 * A thread that outlives a stuck event loop: it names the phase and the hook, and kills the process.
 *
 * Both sides share one small memory: an integer that is 0 until the shutdown has stopped, the deadline as a time of day,
 * and a text that says what is running. The thread sleeps until the deadline; one that was moved meanwhile is slept to
 * again, so that a loop which turns, and therefore forces, is never killed.
 *
 * Invariants
 *  1. The main thread writes the text before its length; the other reads the length before the text.
 *  2. Whenever the loop turns at a deadline, the machine goes on, and moves the deadline or stops.
 */

import type { ShutdownEvent } from './events.ts';
import { host } from './host.ts';
import type { Limits } from './options.ts';

const OVER = 0;
const LENGTH = 1;
const TEXT_BYTES = 1_024;

/** How long, in ms, a loop that turns may take to show it: a busy machine is no stuck one. */
const GRACE = 250;

/** The thread's program, as text: a file of its own would have to be found by every bundler. */
const program = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const state = new Int32Array(workerData, 0, 2);
const deadline = new Float64Array(workerData, 8, 1);
const text = new Uint8Array(workerData, 16);
const grace = ${GRACE};
while (state[${OVER}] === 0) {
  const until = deadline[0];
  const left = until + grace - Date.now();
  if (left > 0) {
    Atomics.wait(state, ${OVER}, 0, Math.min(left, 2 ** 31 - 1));
  } else if (deadline[0] === until && Atomics.load(state, ${OVER}) === 0) {
    const what = Buffer.from(text.slice(0, Atomics.load(state, ${LENGTH}))).toString();
    try { writeSync(2, 'watchdog: the event loop has not turned by the deadline: ' + what + '; killing the process\\n'); } catch {}
    process.kill(process.pid, 'SIGKILL');
    break;
  }
}
`;

/** Watches over one shutdown, from its request to its end. */
export class Watchdog {
  readonly #limits: Limits;
  readonly #state: Int32Array;
  readonly #deadline: Float64Array;
  readonly #text: Uint8Array;
  /** Set once forced: the deadline moves no more but for the last level. */
  #isForced = false;
  #phase = 'stopping';

  constructor(limits: Limits) {
    const memory = new SharedArrayBuffer(16 + TEXT_BYTES);
    this.#limits = limits;
    this.#state = new Int32Array(memory, 0, 2);
    this.#deadline = new Float64Array(memory, 8, 1);
    this.#text = new Uint8Array(memory, 16);
    this.#moveTo(limits.timeout);
    const { Worker } = host.getBuiltinModule('node:worker_threads');
    new Worker(program, { eval: true, workerData: memory, execArgv: [], stdout: false }).unref();
  }

  /** What the machine does, written down for the other thread. */
  tell(event: ShutdownEvent): void {
    if (event.type === 'state') this.#enter(event.state);
    if (event.type === 'hook:start') {
      this.#say(`hook ${JSON.stringify(event.hook)} in phase ${event.phase}`);
      if (event.phase === 'final') this.#moveTo(this.#limits.finalTimeout);
    }
    if (event.type === 'hook:end') this.#say(`phase ${this.#phase}, behind hook ${JSON.stringify(event.hook)}`);
    if (event.type === 'forced' && !this.#isForced) {
      this.#isForced = true;
      this.#moveTo(this.#limits.forceTimeout);
    }
    if (event.type === 'stopped') this.#end();
  }

  #enter(phase: string): void {
    this.#phase = phase;
    this.#say(`phase ${phase}`);
  }

  #moveTo(ms: number): void {
    this.#deadline[0] = Date.now() + ms;
  }

  #say(text: string): void {
    const { written } = new TextEncoder().encodeInto(text, this.#text);
    Atomics.store(this.#state, LENGTH, written);
  }

  #end(): void {
    Atomics.store(this.#state, OVER, 1);
    Atomics.notify(this.#state, OVER);
  }
}
