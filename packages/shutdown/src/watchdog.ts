/**
 * A thread that outlives a stuck event loop: it names the phase and the hook, and kills the process.
 *
 * Both sides share one small memory: an integer that is 0 until the shutdown has stopped, the deadline,
 * and a text that says what is running. The thread sleeps until the deadline; one that was moved meanwhile is slept to
 * again, so that a loop which turns, and therefore forces, is never killed.
 *
 * Invariants
 *  1. The main thread writes the text before its length; the other reads the length before the text.
 *  2. Whenever the loop turns at a deadline, the machine goes on, and moves the deadline or stops.
 *  3. The deadline is on the clock that both threads and the timers of the loop share, which no administrator sets.
 *  4. Past it the loop gets `GRACE` in which to turn, counted from when the thread has seen that it is past: a process that
 *     was frozen wakes in both threads at once.
 */

import { describeError } from './describe-error.ts';
import type { Reporter, ShutdownEvent } from './events.ts';
import { host } from './host.ts';
import type { Limits } from './options.ts';
import type { ShutdownLog } from './shutdown-log.ts';

const OVER = 0;
const LENGTH = 1;
const TEXT_BYTES = 1_024;

/** How long, in ms, a loop that turns may take to show it: a busy machine is no stuck one. */
const GRACE = 1_000;

/** The thread's program, as text: a file of its own would have to be found by every bundler. */
const program = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const state = new Int32Array(workerData, 0, 2);
const deadline = new Float64Array(workerData, 8, 1);
const text = new Uint8Array(workerData, 16);
const now = () => Number(process.hrtime.bigint() / 1000000n);
const sleep = (ms) => Atomics.wait(state, ${OVER}, 0, Math.min(ms, 2 ** 31 - 1));
while (Atomics.load(state, ${OVER}) === 0) {
  const until = deadline[0];
  const left = until - now();
  sleep(left > 0 ? left : ${GRACE});
  if (left <= 0 && deadline[0] === until && Atomics.load(state, ${OVER}) === 0) {
    const what = Buffer.from(text.slice(0, Atomics.load(state, ${LENGTH}))).toString();
    try { writeSync(2, 'watchdog: the event loop has not turned by the deadline: ' + what + '; killing the process\\n'); } catch {}
    process.kill(process.pid, 'SIGKILL');
    break;
  }
}
`;

/** Starts a watchdog with the request. Logs a warning when that fails. */
export function watchdogReporter(limits: Limits, log: ShutdownLog): Reporter {
  let watchdog: Watchdog | undefined;
  const onFailure = (error: unknown): void => log.warn(`the watchdog has failed: ${describeError(error)}`);
  return (event) => {
    if (event.type === 'requested') {
      log.attempt('there is no watchdog', () => {
        watchdog = new Watchdog(limits, onFailure);
      });
    }
    watchdog?.update(event);
  };
}

/** Watches over one shutdown, from its request to its end. */
class Watchdog {
  readonly #limits: Limits;
  readonly #state: Int32Array;
  readonly #deadline: Float64Array;
  readonly #text: Uint8Array;
  /** Set with the first hook of the last level, which has a time of its own, also when the shutdown is forced meanwhile. */
  #isFinal = false;
  #phase = 'stopping';

  /** @param onFailure called when the thread has ended with an error */
  constructor(limits: Limits, onFailure: (error: unknown) => void) {
    const memory = new SharedArrayBuffer(16 + TEXT_BYTES);
    this.#limits = limits;
    this.#state = new Int32Array(memory, 0, 2);
    this.#deadline = new Float64Array(memory, 8, 1);
    this.#text = new Uint8Array(memory, 16);
    this.#moveTo(limits.timeout);
    const { Worker } = host.getBuiltinModule('node:worker_threads');
    // An empty environment: NODE_OPTIONS could load what takes longer than the deadline, or fails.
    const worker = new Worker(program, { eval: true, workerData: memory, execArgv: [], env: {} });
    worker.once('error', onFailure);
    worker.unref();
  }

  /** Writes a step of the shutdown to the shared memory. */
  update(event: ShutdownEvent): void {
    if (event.type === 'state') this.#enter(event.state);
    if (event.type === 'hook:start') {
      this.#say(`hook ${JSON.stringify(event.hook)} in phase ${event.phase}`);
      this.#isFinal = event.phase === 'final';
      if (this.#isFinal) this.#moveTo(this.#limits.finalTimeout);
    }
    if (event.type === 'hook:end') this.#say(`phase ${this.#phase}, behind hook ${JSON.stringify(event.hook)}`);
    if (event.type === 'forced' && !this.#isFinal) this.#moveTo(this.#limits.forceTimeout);
    if (event.type === 'stopped') this.#end();
  }

  #enter(phase: string): void {
    this.#phase = phase;
    this.#say(`phase ${phase}`);
  }

  #moveTo(ms: number): void {
    // As the thread reads it (invariant 3).
    this.#deadline[0] = Number(host.hrtime.bigint() / 1_000_000n) + ms;
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
