import { CancellationToken, type Clock, type Timer } from '@quiesce/cancellation-token';
import { checkKind, checkTime, defineHandle } from '@quiesce/internal';
import { Scope } from '@quiesce/scope';
import { isStartedBy } from './check-signals.ts';
import type { ShutdownEvent } from './events.ts';
import { signalNumber } from './host.ts';
import { isEndBy } from './is-end-by.ts';
import { onOwnSignal } from './own-signals.ts';
import { checkProcess, type ProcessLike, processOf } from './process-like.ts';
import type { ShutdownRequest } from './request.ts';

/** Options for `install`. */
export interface InstallOptions {
  /**
   * The signals. The first requests the shutdown, the second forces it, the third ends the process. Default: SIGTERM, SIGINT,
   * SIGHUP.
   */
  readonly signals?: readonly string[] | undefined;
  /**
   * For this time, in ms, a repetition of a signal counts as the same request. A terminal signals the whole process group, and
   * wrappers such as nodemon, `tsx watch` and npm forward the signal once more. With 0 each signal counts. Default: 500.
   */
  readonly signalDebounce?: number | undefined;
  /** Requests the shutdown on an uncaught error or an unhandled rejection. Default: true. */
  readonly errors?: boolean | undefined;
  /**
   * Requests the shutdown when the parent process disconnects. It applies to a child with an IPC channel, which then stays
   * alive as long as the channel or the installation does. Default: true.
   */
  readonly disconnect?: boolean | undefined;
  /**
   * The signal that prints the report. `false` for none. Default: `SIGUSR2`; under nodemon none, where SIGUSR2 requests the
   * shutdown: nodemon sends it before a restart, and waits until the process has exited.
   */
  readonly reportSignal?: string | false | undefined;
  /** The process whose signals and errors arrive. A test passes a `FakeProcess` of `@quiesce/testing`. Default: this process. */
  readonly process?: ProcessLike | undefined;
}

/** The names of the options of `install`. */
export const installOptions: readonly string[] = ['signals', 'signalDebounce', 'reportSignal', 'process'];
export const installFlags: readonly string[] = ['errors', 'disconnect'];

/** The parts of a shutdown that an installation uses. */
export interface InstallCallbacks {
  readonly clock: Clock;
  readonly stopAccepting: CancellationToken;
  readonly isRequested: () => boolean;
  /** Requests the shutdown. Returns whether this was the first request. */
  readonly request: (request: ShutdownRequest) => boolean;
  /** Forces the shutdown. Returns false when it was forced before, or has stopped. */
  readonly force: (signal: string) => boolean;
  readonly recordError: (where: string, error: unknown) => void;
  /** Records an error when it is a leak that the user wants to see. Returns whether it did. */
  readonly recordLeak: (error: unknown) => boolean;
  readonly signalIgnored: (event: ShutdownEvent & { readonly type: 'signal ignored' }) => void;
  /** Prints an error to stderr when no logger was chosen. A logger gets the error with its event. */
  readonly printError: (error: unknown) => void;
  readonly printReport: () => void;
}

/** The listeners that an installation adds to the process. The same table is used to remove them. */
type Listeners = readonly (readonly [event: string, listener: (first: unknown, second: unknown) => void])[];

/**
 * Checks the options of `install`. Errors name the call of the user.
 *
 * @throws TypeError for a name that is not a signal, a `process` that is none, and an option of the wrong type;
 *   RangeError when `signalDebounce` is negative or NaN
 */
export function checkInstallOptions(call: string, options: InstallOptions): void {
  const { signals = [], reportSignal = false, signalDebounce = 0, process } = options;
  checkKind(Array.isArray(signals), `${call}: signals`, "a list, such as ['SIGTERM']", signals);
  for (const signal of signals) checkSignal(`${call}: signals`, signal);
  if (reportSignal !== false) checkSignal(`${call}: reportSignal`, reportSignal);
  checkTime(`${call}: signalDebounce`, signalDebounce);
  if (process !== undefined) checkProcess(`${call}: process`, process);
}

/**
 * The listeners of one shutdown on the process. Created by `shutdown.install`.
 *
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const installation = shutdown.install({ signals: ['SIGUSR2'], errors: false, reportSignal: false });
 * console.log(installation.isInstalled, process.listenerCount('SIGUSR2')); // => true 1
 * installation.dispose();
 * console.log(installation.isInstalled, process.listenerCount('SIGUSR2')); // => false 0
 * ```
 */
export class Installation implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Installation, {
    name: 'installation',
    owns: (value) => #callbacks in value,
    dispose: 'dispose',
    facts: ({ isInstalled }) => ({ isInstalled }),
  });
  readonly #callbacks: InstallCallbacks;
  readonly #listeners: Listeners;
  /** The process that has the listeners. */
  readonly process: ProcessLike;
  /** Handles a signal after the shutdown was forced or has stopped, unless it is the first signal. */
  readonly #exitNow: (signal: string) => void;
  readonly #signalDebounce: number;
  /** Signals that were accepted within the debounce time, with its timer. A repetition counts as the same request. */
  readonly #recent: Map<string, Timer> = new Map();
  /** How many signals of each kind this process has sent to itself and not yet received. Each signal sent makes a new object. */
  readonly #ownSignals: Map<string, { count: number }> = new Map();
  readonly #stopOwnSignals: () => void;
  /** Has no tasks. While it is open, work in any scope that ends because of `stopAccepting` has not failed. */
  readonly #stopScope: Scope;
  /** How many signals were accepted. The first signal may arrive after another request. */
  #signals = 0;
  /** Cancelled by the first signal that is accepted. */
  readonly signalled: CancellationToken = new CancellationToken();
  #isInstalled = true;
  /** Set when a write has failed because its reader is gone. Only the first such error is recorded. */
  #isUnread = false;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(callbacks: InstallCallbacks, options: InstallOptions, exitNow?: (signal: string) => void) {
    const process = processOf(options);
    const { signals = defaultSignals(process), errors = true, disconnect = true, reportSignal = 'SIGUSR2' } = options;
    // `runMain` has checked them: only it passes `exitNow`.
    if (exitNow === undefined) checkInstallOptions('install', options);
    this.#signalDebounce = options.signalDebounce ?? 500;
    this.#callbacks = callbacks;
    this.process = process;
    this.#stopScope = new Scope({ stopSignal: callbacks.stopAccepting });
    this.#exitNow = exitNow ?? ((signal) => this.#raise(signal));
    const onError = (error: unknown, origin: unknown): void => this.#onUncaught(error, origin);
    const hasReport = reportSignal !== false && !signals.includes(reportSignal) && process.platform !== 'win32';
    this.#listeners = [
      ...[...new Set(signals)].map((signal) => [signal, () => this.#onSignal(signal)] as const),
      ...(errors ? [['uncaughtException', onError] as const] : []),
      ...(disconnect && process.connected === true
        ? [['disconnect', () => void callbacks.request({ kind: 'disconnect' })] as const]
        : []),
      ...(hasReport ? [[reportSignal, () => callbacks.printReport()] as const] : []),
    ];
    for (const [event, listener] of this.#listeners) process.on(event, listener as () => void);
    this.#stopOwnSignals = onOwnSignal(process, (signal) => {
      if (!signals.includes(signal)) return;
      this.#ownSignals.set(signal, { count: (this.#ownSignals.get(signal)?.count ?? 0) + 1 });
    });
  }

  /** Whether its listeners are on the process. */
  get isInstalled(): boolean {
    return this.#isInstalled;
  }

  /** Removes every listener that it added. Synchronous and idempotent. Called automatically when the shutdown has stopped. */
  dispose(): void {
    if (!this.#isInstalled) return;
    this.#isInstalled = false;
    for (const [event, listener] of this.#listeners) this.process.off(event, listener as () => void);
    this.#stopOwnSignals();
    void this.#stopScope.close();
    for (const timer of this.#recent.values()) this.#callbacks.clock.clearTimer(timer);
    this.#recent.clear();
  }

  #onSignal(signal: string): void {
    const { isRequested, request, force, signalIgnored } = this.#callbacks;
    const own = this.#ownSignals.get(signal);
    const isOwn = own !== undefined && own.count > 0;
    if (isOwn) {
      own.count--;
      // Node delivers it in the next iteration of the event loop, Deno some milliseconds later. The system may deliver two as one:
      // the rest is discarded after the first has arrived, unless another one was sent.
      void inTurns(3).then(() => this.#ownSignals.get(signal) === own && this.#ownSignals.delete(signal));
    }
    if (isRequested() && (isOwn || this.#recent.has(signal))) {
      signalIgnored({
        type: 'signal ignored',
        signal,
        why: isOwn ? 'own' : 'repeated',
        debounceMs: this.#signalDebounce,
      });
      return;
    }
    this.#startDebounce(signal);
    this.#signals++;
    this.signalled.cancel();
    // The first signal may also arrive during the flushing of the output, which it must not cut short.
    if (request({ kind: 'signal', signal }) || this.#signals === 1) return;
    if (!force(signal)) this.#exitNow(signal);
  }

  /**
   * Ends the debounce time by an event, not by comparing times. While the event loop is blocked, a signal waits. It is
   * delivered after the timers and before `setImmediate`.
   */
  #startDebounce(signal: string): void {
    if (this.#signalDebounce === 0) return;
    const { clock } = this.#callbacks;
    const earlier = this.#recent.get(signal);
    if (earlier !== undefined) clock.clearTimer(earlier);
    const end = (): void => void setImmediate(() => this.#recent.get(signal) === timer && this.#recent.delete(signal));
    const timer = clock.setTimer(this.#signalDebounce, end, { ref: false });
    this.#recent.set(signal, timer);
  }

  #onUncaught(error: unknown, origin: unknown): void {
    const { stopAccepting, request, recordError, recordLeak, printError } = this.#callbacks;
    if (recordLeak(error)) return;
    // Unawaited work that has ended because of `stopAccepting` has not failed.
    if (origin === 'unhandledRejection' && isEndBy(error, stopAccepting)) return;
    if (isUnread(error)) {
      // Logging it would write again, and fail again, without end.
      if (this.#isUnread) return;
      this.#isUnread = true;
    }
    // Our listener keeps Node from printing the error.
    printError(error);
    const isFirst = request({ kind: 'error', reason: error });
    if (!isFirst) recordError(origin === 'unhandledRejection' ? 'a rejection' : 'an exception', error);
  }

  /** Applies the default effect of the signal. */
  #raise(signal: string): void {
    this.dispose();
    this.process.kill(this.process.pid, signal);
  }
}

async function inTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function defaultSignals({ platform }: ProcessLike): readonly string[] {
  const more = platform === 'win32' ? ['SIGBREAK'] : isStartedBy('nodemon') ? ['SIGUSR2'] : [];
  return ['SIGTERM', 'SIGINT', 'SIGHUP', ...more];
}

/** Refuses names that are not signals, which Node would take for other events, and signals that no process can catch. */
function checkSignal(what: string, signal: string): void {
  const isSignal = signalNumber(signal) > 0 && signal !== 'SIGKILL' && signal !== 'SIGSTOP';
  checkKind(isSignal, what, 'a signal that a process of this system can catch', signal);
}

/** Returns whether a write has failed because its reader is gone. */
export function isUnread(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    const { code, syscall } = error as { code?: unknown; syscall?: unknown };
    return syscall === 'write' && (code === 'EPIPE' || code === 'EIO');
  } catch {
    return false;
  }
}
