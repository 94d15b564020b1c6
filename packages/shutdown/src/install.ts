import { CancellationToken, type Clock, type Timer } from '@quiesce/cancellation-token';
import { checkKind, checkTime, defineHandle } from '@quiesce/internal';
import { Scope } from '@quiesce/scope';
import type { ShutdownEvent } from './events.ts';
import { host } from './host.ts';
import { isEndBy } from './is-end-by.ts';
import { onOwnSignal } from './own-signals.ts';
import type { ShutdownRequest } from './request.ts';
import { signalNumber } from './signal-number.ts';

/** What of the process asks for a shutdown. */
export interface InstallOptions {
  /** The signals: the first requests the shutdown, the second forces it, the third ends the process. Default: SIGTERM, SIGINT, SIGHUP. */
  readonly signals?: readonly string[] | undefined;
  /**
   * How long, in ms, the same signal again counts as the same request. A terminal signals the whole process group, and wrappers
   * such as nodemon, `tsx watch` and npm forward the signal once more. 0: each signal counts. Default: 500.
   */
  readonly signalDebounce?: number | undefined;
  /** Whether an error that nobody caught, and a rejection that nobody handled, asks for it. Default: true. */
  readonly errors?: boolean | undefined;
  /**
   * Whether a parent that disconnects (IPC) asks for it; counts in a child that has a channel, which then lives as long as
   * the channel or the installation does. Default: true.
   */
  readonly disconnect?: boolean | undefined;
  /** Prints how it stands: default `SIGUSR2`; `false`: none does, as under nodemon, which uses that one itself. */
  readonly reportSignal?: string | false | undefined;
}

/** The options of `install`. */
export const installOptions: readonly string[] = ['signals', 'signalDebounce', 'reportSignal'];
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
  /** Prints an error, unless a logger was chosen, to which the request goes. */
  readonly printError: (error: unknown) => void;
  readonly printReport: () => void;
}

/** What an installation adds to a process, in one table, from which it is removed again. */
type Listeners = readonly (readonly [event: string, listener: (first: unknown, second: unknown) => void])[];

/**
 * Refuses values that an option cannot have, in the name of the call that the user wrote.
 *
 * @throws TypeError for signals that are none; RangeError for a debounce that is no time
 */
export function checkInstallOptions(call: string, options: InstallOptions): void {
  const { signals = [], reportSignal = false, signalDebounce = 0 } = options;
  checkKind(Array.isArray(signals), `${call}: signals`, "a list, such as ['SIGTERM']", signals);
  for (const signal of signals) checkSignal(`${call}: signals`, signal);
  if (reportSignal !== false) checkSignal(`${call}: reportSignal`, reportSignal);
  checkTime(`${call}: signalDebounce`, signalDebounce);
}

/**
 * The listeners of one shutdown on the process.
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const installation = shutdown.install({ signals: ['SIGUSR2'], errors: false, reportSignal: false });
 * console.log(installation.isInstalled, process.listenerCount('SIGUSR2')); // => true 1
 * installation.uninstall();
 * console.log(installation.isInstalled, process.listenerCount('SIGUSR2')); // => false 0
 * ```
 */
export class Installation implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Installation, {
    name: 'installation',
    owns: (value) => #callbacks in value,
    dispose: 'uninstall',
    facts: ({ isInstalled }) => ({ isInstalled }),
  });
  readonly #callbacks: InstallCallbacks;
  readonly #listeners: Listeners;
  /** What a signal does that is not the first one, when the shutdown has been forced, or is over. */
  readonly #exitNow: (signal: string) => void;
  readonly #signalDebounce: number;
  /** Signals that were accepted so short a time ago that they count as the same request when they come again. */
  readonly #recent: Map<string, Timer> = new Map();
  /** How many signals of each kind this process has sent to itself that have not arrived yet. A new object for each that it sends. */
  readonly #ownSignals: Map<string, { count: number }> = new Map();
  readonly #forgetOwnSignals: () => void;
  /** Runs nothing. While it is open, work in any scope that ends because of `stopAccepting` has not failed. */
  readonly #stopScope: Scope;
  /** How many signals were accepted: one may be the first although something else has made the request. */
  #signals = 0;
  /** Cancelled by the first signal that is accepted. */
  readonly signalled: CancellationToken = new CancellationToken();
  #isInstalled = true;
  /** Set when a write has failed because nobody reads any more: once is enough. */
  #isUnread = false;
  /** The same as `uninstall`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(callbacks: InstallCallbacks, options: InstallOptions, exitNow?: (signal: string) => void) {
    const { signals = defaultSignals(), errors = true, disconnect = true, reportSignal = 'SIGUSR2' } = options;
    // `runMain`, which alone says how to exit, has checked them.
    if (exitNow === undefined) checkInstallOptions('install', options);
    this.#signalDebounce = options.signalDebounce ?? 500;
    this.#callbacks = callbacks;
    this.#stopScope = new Scope({ stopSignal: callbacks.stopAccepting });
    this.#exitNow = exitNow ?? ((signal) => this.#raise(signal));
    const onError = (error: unknown, origin: unknown): void => this.#failed(error, origin);
    const hasReport = reportSignal !== false && !signals.includes(reportSignal) && host.platform !== 'win32';
    this.#listeners = [
      ...[...new Set(signals)].map((signal) => [signal, () => this.#signalled(signal)] as const),
      ...(errors ? [['uncaughtException', onError] as const] : []),
      ...(disconnect && host.connected
        ? [['disconnect', () => void callbacks.request({ kind: 'disconnect' })] as const]
        : []),
      ...(hasReport ? [[reportSignal, () => callbacks.printReport()] as const] : []),
    ];
    for (const [event, listener] of this.#listeners) host.on(event, listener);
    this.#forgetOwnSignals = onOwnSignal((signal) => {
      if (!signals.includes(signal)) return;
      const own = { count: (this.#ownSignals.get(signal)?.count ?? 0) + 1 };
      this.#ownSignals.set(signal, own);
      // It arrives in the next turn at the latest. The system may deliver two as one: what is left then is nobody's.
      void inTurns(3).then(() => this.#ownSignals.get(signal) === own && this.#ownSignals.delete(signal));
    });
  }

  /** Whether its listeners are there. */
  get isInstalled(): boolean {
    return this.#isInstalled;
  }

  /** Removes every listener that was added. Synchronous, idempotent. Done by itself when the shutdown has stopped. */
  uninstall(): void {
    if (!this.#isInstalled) return;
    this.#isInstalled = false;
    for (const [event, listener] of this.#listeners) host.off(event, listener);
    this.#forgetOwnSignals();
    void this.#stopScope.close();
    for (const timer of this.#recent.values()) this.#callbacks.clock.clearTimer(timer);
    this.#recent.clear();
  }

  #signalled(signal: string): void {
    const { isRequested, request, force, signalIgnored } = this.#callbacks;
    const own = this.#ownSignals.get(signal);
    const isOwn = own !== undefined && own.count > 0;
    if (isOwn) own.count--;
    if (isRequested() && (isOwn || this.#recent.has(signal))) {
      signalIgnored({
        type: 'signal ignored',
        signal,
        why: isOwn ? 'own' : 'repeated',
        debounceMs: this.#signalDebounce,
      });
      return;
    }
    this.#remember(signal);
    this.#signals++;
    this.signalled.cancel();
    // Also the first one that comes when all is over but the flushing, which it is not to cut short.
    if (request({ kind: 'signal', signal }) || this.#signals === 1) return;
    if (!force(signal)) this.#exitNow(signal);
  }

  /**
   * Ends the debounce time by an event and not by comparing times: while the event loop is blocked, a signal waits, and is
   * delivered after the timers and before `setImmediate`.
   */
  #remember(signal: string): void {
    if (this.#signalDebounce === 0) return;
    const { clock } = this.#callbacks;
    const earlier = this.#recent.get(signal);
    if (earlier !== undefined) clock.clearTimer(earlier);
    const forget = (): void =>
      void setImmediate(() => this.#recent.get(signal) === timer && this.#recent.delete(signal));
    const timer = clock.setTimer(this.#signalDebounce, forget, { ref: false });
    this.#recent.set(signal, timer);
  }

  #failed(error: unknown, origin: unknown): void {
    const { stopAccepting, request, recordError, recordLeak, printError } = this.#callbacks;
    if (recordLeak(error)) return;
    // The end of work that was asked to stop, and that nothing waits for.
    if (origin === 'unhandledRejection' && isEndBy(error, stopAccepting)) return;
    // Our listener keeps Node from printing it, and nobody else has been asked to.
    if (isUnread(error)) {
      // To log it would be to write again, and fail again, without end.
      if (this.#isUnread) return;
      this.#isUnread = true;
    }
    printError(error);
    const isFirst = request({ kind: 'error', reason: error });
    if (!isFirst) recordError(origin === 'unhandledRejection' ? 'a rejection' : 'an exception', error);
  }

  /** What the signal would have done without us. */
  #raise(signal: string): void {
    this.uninstall();
    host.kill(host.pid, signal);
  }
}

async function inTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function defaultSignals(): readonly string[] {
  return ['SIGTERM', 'SIGINT', 'SIGHUP', ...(host.platform === 'win32' ? ['SIGBREAK'] : [])];
}

/** Refuses what Node would take for an event like any other, and what no process can catch. */
function checkSignal(what: string, signal: string): void {
  const isSignal = signalNumber(signal) > 0 && signal !== 'SIGKILL' && signal !== 'SIGSTOP';
  checkKind(isSignal, what, 'a signal that a process of this system can catch', signal);
}

/** Whether a write has failed because its reader has gone. */
function isUnread(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    const { code, syscall } = error as { code?: unknown; syscall?: unknown };
    return syscall === 'write' && (code === 'EPIPE' || code === 'EIO');
  } catch {
    return false;
  }
}
