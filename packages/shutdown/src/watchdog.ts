/**
 * A thread that works while the event loop is blocked: it names the phase and the hook, and kills the process.
 *
 * Both threads share a small memory: an integer that is 0 until the shutdown has stopped, the deadline, and a text that names
 * the hook that runs. The thread sleeps until the deadline. When the deadline has been moved, it sleeps again. A process whose
 * event loop runs, and therefore forces the shutdown, is never killed.
 *
 * Invariants
 *  1. The main thread writes the text before its length. The other thread reads the length before the text.
 *  2. When the event loop runs at a deadline, the sequence continues, and moves the deadline or stops.
 *  3. The deadline is on the clock that both threads and the timers of the event loop share, which no administrator sets.
 *  4. After the deadline the event loop gets `GRACE` to run. It counts from when the thread sees that the deadline has passed:
 *     a process that was frozen wakes in both threads at once.
 */

import type { Reporter, ShutdownEvent } from './events.ts';
import { host } from './host.ts';
import type { Limits } from './options.ts';
import type { ShutdownLog } from './shutdown-log.ts';

const OVER = 0;
const LENGTH = 1;
const TEXT_BYTES = 1_024;

/** The time, in ms, that an event loop may take to run: a busy one is not blocked. */
const GRACE = 1_000;

/** The program of the thread, as text: every bundler would have to find a separate file. */
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
    try { writeSync(2, 'watchdog: the event loop is blocked at the deadline: ' + what + '; killing the process\\n'); } catch {}
    process.kill(process.pid, 'SIGKILL');
    break;
  }
}
`;

/** Starts a watchdog with the request. Logs a warning when that fails. */
export function watchdogReporter(limits: Limits, log: ShutdownLog): Reporter {
  let watchdog: Watchdog | undefined;
  const onFailure = (err: unknown): void => log.warn('watchdog', 'the watchdog has failed', { err });
  return (event) => {
    if (event.type === 'requested') {
      log.attempt('watchdog', 'the watchdog could not be started', () => {
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
  /** Set with the first hook of the phase `final`, which has a limit of its own, also after a force. */
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
    // An empty environment: NODE_OPTIONS could load a module that takes longer than the deadline, or fails.
    const worker = new Worker(program, { eval: true, workerData: memory, execArgv: [], env: {} });
    worker.once('error', onFailure);
    worker.unref();
  }

  /** Writes a step of the shutdown to the shared memory. */
  update(event: ShutdownEvent): void {
    if (event.type === 'state') this.#enter(event.state);
    if (event.type === 'hook:start') {
      this.#writeText(`hook ${JSON.stringify(event.hook)} in phase ${event.phase}`);
      this.#isFinal = event.phase === 'final';
      if (this.#isFinal) this.#moveTo(this.#limits.finalTimeout);
    }
    if (event.type === 'hook:end') this.#writeText(`phase ${this.#phase}, after hook ${JSON.stringify(event.hook)}`);
    if (event.type === 'forced' && !this.#isFinal) this.#moveTo(this.#limits.forceTimeout);
    if (event.type === 'stopped') this.#end();
  }

  #enter(phase: string): void {
    this.#phase = phase;
    this.#writeText(`phase ${phase}`);
  }

  #moveTo(ms: number): void {
    // The same clock as in the thread (invariant 3).
    this.#deadline[0] = Number(host.hrtime.bigint() / 1_000_000n) + ms;
  }

  #writeText(text: string): void {
    const { written } = new TextEncoder().encodeInto(text, this.#text);
    Atomics.store(this.#state, LENGTH, written);
  }

  #end(): void {
    Atomics.store(this.#state, OVER, 1);
    Atomics.notify(this.#state, OVER);
  }
}
