import { show } from './errors.ts';
import { checkFunction, wrongKind } from './options.ts';

type Listener = (...args: unknown[]) => void;
type Platform = { readonly setImmediate?: (fn: () => void) => unknown };

/** The signals that end a process without a listener, with their numbers on Linux. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/**
 * The output of a fake process. It keeps the written text.
 *
 * @example
 * ```ts
 * const { stdout } = new FakeProcess();
 * stdout.write('ready\n');
 * console.log(JSON.stringify(stdout.text)); // => "ready\n"
 * ```
 */
export class FakeOutput {
  /** The written text. */
  text = '';
  /** Always 0: everything is written at once. */
  readonly writableLength: number = 0;
  /** Always `false`. */
  readonly destroyed: boolean = false;
  /** Always `false`. */
  readonly isTTY: boolean = false;

  /** Adds a text, and calls the function in a microtask. */
  write(text: string, done?: () => void): boolean {
    this.text += String(text);
    if (done !== undefined) queueMicrotask(done);
    return true;
  }

  /** Does nothing: writing never fails. */
  on(_event: string, _listener: Listener): this {
    return this;
  }

  /** Does nothing: writing never fails. */
  off(_event: string, _listener: Listener): this {
    return this;
  }
}

/**
 * A process for tests of a shutdown: signals arrive when the test sends them, and `exit` ends nothing.
 *
 * Pass it as the option `process` of `runMain` or `shutdown.install`. In `explore`, deliver signals as a stream:
 * `world.events('signals', ['SIGTERM', 'SIGINT'], (signal) => fake.send(signal))`. For the wiring to the system, add one test with
 * a real process.
 *
 * **Timing.** `send` calls the listeners synchronously. A real signal arrives in a task of its own, so let the program start first. A
 * signal that the process sends to itself arrives in a later iteration of the event loop. After the exit no signal arrives.
 *
 * @example
 * ```ts
 * const fake = new FakeProcess();
 * const service = runMain(
 *   async (scope, shutdown) => {
 *     shutdown.hook('database', () => console.log('database closed'));
 *     await shutdown.stopAccepting.cancelled();
 *   },
 *   { process: fake, logger: false },
 * );
 * await new Promise((resolve) => setImmediate(resolve)); // the service has started, and waits
 * fake.send('SIGTERM');
 * console.log('exit code', await fake.exited);
 * // => database closed
 * // => exit code 0
 * await service;
 * ```
 */
export class FakeProcess {
  /** The process ID. */
  readonly pid: number = 1_000;
  /** Always `linux`. */
  readonly platform: string = 'linux';
  /** Whether it has a parent with an IPC channel. Set it before the installation to test `disconnect`. */
  connected = false;
  /** The code of the next `exit` without an argument. */
  exitCode: number | string | null | undefined = undefined;
  /** Its output. */
  readonly stdout: FakeOutput = new FakeOutput();
  /** Its output for errors and logs. */
  readonly stderr: FakeOutput = new FakeOutput();
  /** Fulfils with the exit code. A signal n that has no listener gives 128 + n, as in a shell. */
  readonly exited: Promise<number>;
  readonly #listeners = new Map<string, { readonly listener: Listener; readonly isOnce: boolean }[]>();
  #onExit!: (code: number) => void;
  #hasExited = false;

  constructor() {
    this.exited = new Promise((resolve) => {
      this.#onExit = resolve;
    });
  }

  /** Whether it has exited. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /**
   * Sends a signal from outside. A signal without a listener ends the process, as does SIGKILL.
   *
   * @param signal such as `SIGTERM`
   * @returns whether a listener was called
   * @throws TypeError when there is no such signal; the error of a listener
   */
  send(signal: string): boolean {
    const number = SIGNALS[signal];
    if (number === undefined) {
      throw wrongKind('FakeProcess.send: the signal', Object.keys(SIGNALS).join(', '), signal);
    }
    if (this.#hasExited) return false;
    if (signal !== 'SIGKILL' && this.emit(signal, signal, number)) return true;
    this.#end(128 + number);
    return false;
  }

  /**
   * Sends a signal as `process.kill` does. One to itself arrives in a later iteration of the event loop. The signal 0 is not sent.
   *
   * @throws Error with the code `ESRCH` for another process
   */
  kill(pid: number, signal: string | number = 'SIGTERM'): true {
    if (pid !== this.pid && pid !== 0 && pid !== -this.pid) {
      throw Object.assign(new Error(`kill ESRCH: a fake process can only send signals to itself (${this.pid})`), {
        code: 'ESRCH',
      });
    }
    const name = typeof signal === 'string' ? signal : Object.keys(SIGNALS).find((key) => SIGNALS[key] === signal);
    if (signal === 0) return true;
    if (name === undefined) throw wrongKind('FakeProcess.kill: the signal', 'a signal', signal);
    const { setImmediate } = globalThis as Platform;
    const send = (): void => void this.send(name);
    if (setImmediate === undefined) setTimeout(send);
    else setImmediate(send);
    return true;
  }

  /** Exits: calls the listeners for `exit`, and fulfils `exited`. It returns, and only the first call counts. */
  exit(code: number | string | null | undefined = this.exitCode): void {
    this.exitCode = code;
    this.#end(Number(code ?? 0));
  }

  /** Calls the listeners of an event, such as `uncaughtException`. Returns whether there were any. */
  emit(event: string, ...args: unknown[]): boolean {
    const listeners = this.#listeners.get(event) ?? [];
    for (const { listener, isOnce } of listeners) {
      if (isOnce) this.off(event, listener);
      Reflect.apply(listener, this, args);
    }
    return listeners.length > 0;
  }

  /** Adds a listener for a signal or another event. */
  on(event: string, listener: Listener): this {
    return this.#add(event, listener, false);
  }

  /** Adds a listener for the next event. */
  once(event: string, listener: Listener): this {
    return this.#add(event, listener, true);
  }

  /** Removes a listener. */
  off(event: string, listener: Listener): this {
    const listeners = this.#listeners.get(event) ?? [];
    const at = listeners.map((one) => one.listener).lastIndexOf(listener);
    if (at >= 0)
      this.#listeners.set(
        event,
        listeners.filter((_, i) => i !== at),
      );
    return this;
  }

  /** Counts the listeners for an event. At the end of a test, a shutdown has removed its own. */
  listenerCount(event: string): number {
    return this.#listeners.get(event)?.length ?? 0;
  }

  #add(event: string, listener: Listener, isOnce: boolean): this {
    checkFunction(`FakeProcess: the listener for ${show(event)}`, listener);
    this.emit('newListener', event, listener);
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, isOnce }]);
    return this;
  }

  #end(code: number): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.emit('exit', code);
    this.#onExit(code);
  }
}
