import { type CancellationToken, ClosedError, type Registration } from '@quiesce/cancellation-token';
import { type WatchReceiver, type WatchSender, watch } from '@quiesce/channel';
import { checkOptions, defineHandle } from '@quiesce/internal';
import type { Drainable } from '@quiesce/scope';
import { type AddOptions, drainTargetOf, STOP } from './drain-target.ts';
import type { Reporter, ShutdownEvent } from './events.ts';
import { GuardRegistry, type ShutdownGuard } from './guard.ts';
import type { HookFunction } from './hooks.ts';
import { Installation, type InstallOptions, installFlags, installOptions } from './install.ts';
import { installCallbacksOf } from './install-callbacks.ts';
import { MainWarning } from './main-warning.ts';
import { makeReport } from './make-report.ts';
import {
  checkName,
  checkShutdownOptions,
  clockOf,
  type ShutdownOptions,
  shutdownFlags,
  shutdownOptions,
  tokenOf,
} from './options.ts';
import { progressOf } from './progress.ts';
import type { ShutdownReport } from './report.ts';
import { makeReporters } from './reporters.ts';
import { type HookOptions, hookOf, ShutdownHandle } from './shutdown-handle.ts';
import { ShutdownLog } from './shutdown-log.ts';
import { ShutdownSequence } from './shutdown-sequence.ts';
import type { ShutdownProgress, ShutdownState } from './state.ts';

/**
 * Shuts a program down in order: states, phases, hooks and time limits from the first request to the report.
 *
 * It goes through `running → stopping → draining → cleanup → stopped`, in this order and never back. It has no listeners on the
 * process until you call `install`, and never calls `process.exit`.
 *
 * Use it in a library, or in a program with another owner of the process. In an entry file use `runMain`, which also runs `main`
 * in a scope, and exits.
 *
 * **Timing.** A request changes the state synchronously. Hooks and drainables are called from a later microtask on.
 *
 * @see tokio's guide to graceful shutdown (tokio.rs/tokio/topics/shutdown)
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const requests = new TaskTracker({ name: 'requests' });
 * shutdown.add(requests);
 * shutdown.hook('db', () => console.log('db closed'));
 * shutdown.hook('cache', () => console.log('cache flushed'));
 * void requests.spawn(async () => console.log('request served'));
 * // => request served
 * shutdown.request('deploy');
 * const report = await shutdown.stopped();
 * // => cache flushed
 * // => db closed
 * console.log(report.exitCode); // => 0
 * ```
 */
export class Shutdown {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Shutdown, {
    name: 'shutdown',
    owns: (value) => #guards in value,
    facts: ({ name, state, progress, sequence }) => {
      const { inFlightCount, waitingFor } = progress;
      const { request, force } = sequence.state;
      return { name, state, inFlightCount, waitingFor, request, force };
    },
  });
  /** @internal */
  readonly sequence: ShutdownSequence;
  /** @internal */
  readonly log: ShutdownLog;
  /** The name of the shutdown, or `undefined` without one. */
  readonly name: string | undefined;
  readonly #guards: GuardRegistry;
  readonly #reporters: readonly Reporter[];
  readonly #mainWarning: MainWarning;
  readonly #progress: WatchSender<ShutdownProgress>;
  /** Set when all reporters have received the last event, and the watch is closed. */
  #isOver = false;
  /** Callbacks of tokens that request the shutdown. Disposed by the request. */
  readonly #requesters: Registration[] = [];
  /** The last installation. Set by `install`. */
  #installation: Installation | undefined;
  /** The promise of `stopped()`. Made by its first call. */
  #end: { readonly promise: Promise<ShutdownReport>; readonly resolve: (report: ShutdownReport) => void } | undefined;

  /**
   * Creates a shutdown in state `running`. Only a call or its `signal` can request it, until you call `install`.
   *
   * @param options limits, in ms: `readinessDelay`, `drainTimeout`, `cancelTimeout`, `hookTimeout`, `timeout`, `forceTimeout`,
   *   `finalTimeout`; `name`, `signal`, `logger`, `progressInterval`, `leakDetection`, `watchdog`, `systemd`, `clock`
   * @throws TypeError when an option is unknown or has the wrong type, or `logger` is neither a function nor a logger of
   *   a known kind; RangeError for a time out of range
   */
  constructor(options: ShutdownOptions = {}) {
    checkOptions('new Shutdown', options, shutdownOptions, shutdownFlags);
    const limits = checkShutdownOptions('new Shutdown', options);
    const token = tokenOf(options.signal);
    this.name = options.name;
    const clock = clockOf(options);
    this.log = new ShutdownLog(options, () => this.progress);
    this.sequence = new ShutdownSequence(
      clock,
      limits,
      (event) => this.#emit(event),
      () => this.#stopped(),
    );
    this.#mainWarning = new MainWarning(this.sequence, (text) => this.log.warn('main', text));
    this.#guards = new GuardRegistry(clock, options.leakDetection === true, (leak) => {
      this.#emit({ type: 'leak', name: leak.name, site: leak.site });
    });
    this.sequence.addTarget(this.#guards.target);
    const measure = (): void => this.#measure();
    this.#reporters = [
      ({ type }) => {
        // A signal that lives longer than the shutdown must not retain it.
        if (type === 'requested') for (const registration of this.#requesters) registration.dispose();
      },
      ...makeReporters(this.sequence, options, this.log, measure),
      this.#mainWarning.reporter,
      ({ type }) => {
        // An ignored signal changes no progress.
        if (type !== 'signal ignored') measure();
      },
    ];
    [this.#progress] = watch<ShutdownProgress>(this.progress);
    // Cancelling the token requests the shutdown. A cancellation is final (law 3), so the token cannot be restored.
    this.#requesters = [this.stopAccepting.onCancelled((reason) => this.request(reason))];
    const following = token?.onCancelled((reason) => this.sequence.request({ kind: 'abort', reason }));
    if (following !== undefined) this.#requesters.push(following);
  }

  /** The current state. */
  get state(): ShutdownState {
    return this.sequence.state.current;
  }

  /** Whether new work is welcome: true until the request. Use it in readiness probes. */
  get isReady(): boolean {
    return this.state === 'running';
  }

  /**
   * Cancelled when the program must accept no more work. Its reason is the reason of the request. Cancelling it requests the
   * shutdown.
   */
  get stopAccepting(): CancellationToken {
    return this.sequence.state.stopAccepting;
  }

  /** Cancelled when work must end now: at `drainTimeout`, by a force, or when all work is drained. */
  get stopNow(): CancellationToken {
    return this.sequence.state.stopNow;
  }

  /**
   * Starts the shutdown.
   *
   * **Timing.** Synchronous: the state has changed when it returns. It does not wait for the end. `stopped()` does.
   *
   * @param reason becomes the reason of the shutdown and of both tokens, verbatim. Default: a `CancelledError` with the source
   *   `shutdown`
   * @returns whether this was the first request. Later requests change nothing
   */
  request(reason?: unknown): boolean {
    return this.sequence.request({ kind: 'call', ...(reason !== undefined && { reason }) });
  }

  /**
   * Forces the shutdown, as a second signal and the total `timeout` do. It cancels both tokens and ends every wait. The remaining
   * hooks share `forceTimeout`, and the `final` hooks run after them.
   *
   * **Timing.** Synchronous. Requests the shutdown first when it is still running.
   *
   * @returns false when the shutdown was forced before, or has stopped
   */
  force(): boolean {
    return this.sequence.force({ by: 'call' });
  }

  /**
   * Waits for the end of the shutdown. It does not request the shutdown.
   *
   * Do not await it in a hook, which would wait for itself until its timeout. Do not await it in the `main` of `runMain` or in a
   * task of its scope, which would wait until `drainTimeout`: await `stopAccepting.cancelled()` there. When nothing else has been
   * left for a second, a warning is logged.
   *
   * **Cancel safety.** You can await it any number of times, also after the end.
   *
   * @returns the report. Never rejects
   */
  stopped(): Promise<ShutdownReport> {
    this.#mainWarning.isEndAwaited = true;
    return this.ended();
  }

  /** @internal As `stopped`, for callers that the shutdown does not wait for. */
  ended(): Promise<ShutdownReport> {
    if (this.#end === undefined) {
      let resolve: (report: ShutdownReport) => void = () => {};
      const promise = new Promise<ShutdownReport>((fulfil) => {
        resolve = fulfil;
      });
      this.#end = { promise, resolve };
      if (this.state === 'stopped') resolve(this.report());
    }
    return this.#end.promise;
  }

  /**
   * Registers a hook: a function that runs once during the shutdown.
   *
   * Hooks of one phase run one at a time: by `after`, then by `priority`, higher first, then the last one registered first. The
   * resource that was opened first is therefore closed last. A hook that throws, or does not end in time, is recorded, and the
   * next one runs.
   *
   * Use it for a resource that a drainable uses, such as the database of a server. In `runMain`, close a resource that only
   * tasks use with `scope.use`.
   *
   * **Timing.** `hook` never calls it synchronously. A hook that is registered while its phase runs still runs in that phase.
   *
   * @param name unique name in reports, log lines and `after`
   * @param run gets a token, which is cancelled at its timeout and by a force, and the request. A returned promise is awaited
   * @param options `phase`, `priority`, `after`, `timeout`
   * @returns a handle, whose `dispose()` removes the hook. With `using`, that is the end of the block
   * @throws HookError when the name is taken, or `after` names an unknown hook, a hook of a later phase, or forms a
   *   cycle; ClosedError when its phase is over; TypeError when an argument or option has the wrong type; RangeError when
   *   `timeout` or `priority` is out of range
   * @example
   * ```ts
   * const shutdown = new Shutdown();
   * shutdown.hook('server', () => console.log('server'));
   * shutdown.hook('metrics', () => console.log('metrics'), { phase: 'final' });
   * shutdown.hook('queue', () => console.log('queue'), { priority: 1 });
   * shutdown.hook('db', () => console.log('db'), { priority: 9, after: ['server', 'queue'] });
   * shutdown.request();
   * await shutdown.stopped();
   * // => queue
   * // => server
   * // => db
   * // => metrics
   * ```
   */
  hook(name: string, run: HookFunction, options: HookOptions = {}): ShutdownHandle {
    const hook = hookOf(name, run, options);
    this.sequence.addHook(hook);
    return new ShutdownHandle(name, () => this.sequence.hooks.remove(hook));
  }

  /**
   * Adds a drainable: it is stopped when the program stops accepting work, and its work is awaited.
   *
   * **Timing.** `announce()`, which is optional, is called when stopping begins. `stop()` is called after `readinessDelay`, and
   * then `drain(signal)`. At `drainTimeout`, or when the shutdown is forced, `abort(reason)`, which is optional, is called with
   * the reason of `stopNow`. The signal is cancelled when the drain is no longer awaited. During a shutdown, `add` calls the
   * missed notices synchronously.
   *
   * @param drainable a tracker, a server, a pool, or any object with `name`, `inFlightCount`, `stop()` and `drain(signal)`.
   *   `drainable` of `@quiesce/scope` makes one from functions
   * @param options `tree`: returns the work in progress, for reports
   * @returns a handle, whose `dispose()` removes the drainable before it is stopped. With `using`, that is the end of the block
   * @throws ClosedError when draining is over; TypeError when `drainable` is not a drainable, or `tree` is not a function
   */
  add(drainable: Drainable, options?: AddOptions): ShutdownHandle {
    const target = drainTargetOf(drainable, options);
    this.sequence.addTarget(target);
    return new ShutdownHandle(target.name, () => target.noticeCount < STOP && this.sequence.targets.delete(target));
  }

  /**
   * Counts one item as in flight until the guard is disposed, such as a request or a job.
   *
   * Use it for single items. For many, add a `TaskTracker`.
   *
   * @param name its name in reports
   * @returns the guard, which you can bind with `using`
   * @throws TypeError when `name` is not a name
   * @example
   * ```ts
   * const shutdown = new Shutdown();
   * {
   *   using _ = shutdown.guard('import');
   *   console.log(shutdown.progress.inFlightCount); // => 1
   * }
   * console.log(shutdown.progress.inFlightCount); // => 0
   * ```
   */
  guard(name: string): ShutdownGuard {
    checkName('guard', name);
    return this.#guards.make(name, Shutdown.prototype.guard);
  }

  /** The current progress. Each access measures it anew. */
  get progress(): ShutdownProgress {
    return progressOf(this.sequence);
  }

  /**
   * Subscribes to the progress, as a `watch` channel. It changes at each step, and at each `progressInterval` of the shutdown.
   *
   * @returns a new receiver, which you dispose. It ends with the shutdown
   * @example
   * ```ts
   * const shutdown = new Shutdown();
   * const states = new Set<string>();
   * const watching = shutdown.watch();
   * shutdown.request();
   * for await (const { state } of watching) states.add(state);
   * console.log([...states].join(' ')); // => stopping draining cleanup stopped
   * ```
   */
  watch(): WatchReceiver<ShutdownProgress> {
    if (this.state !== 'stopped') {
      this.#measure();
      return this.#progress.subscribe();
    }
    const [sender, receiver] = watch(this.progress);
    sender.close();
    return receiver;
  }

  /**
   * Returns a report of the current state, at any time. After the end it equals the result of `stopped()`. {@link formatReport}
   * formats it as text.
   */
  report(): ShutdownReport {
    return makeReport(this.sequence, this.name, this.#guards.leaks);
  }

  #measure(): void {
    // An error or a leak may be recorded after the end, when the watch is closed.
    if (!this.#isOver) this.#progress.sendReplace(this.progress);
  }

  /**
   * Requests the shutdown on signals, uncaught errors, and a parent that disconnects.
   *
   * The first signal requests the shutdown, the second forces it, and the third acts as it would without the
   * installation. The same signal within `signalDebounce` counts once. A signal that the process sends to itself with
   * `process.kill` never forces. That function is wrapped while anything is installed. When the shutdown has stopped, all
   * listeners are removed, and `process.exitCode` is set unless the exit code is 0. After `dispose`, none of this happens.
   *
   * Do not use it with `runMain`, which installs the shutdown itself.
   *
   * @param options `signals`, `signalDebounce`, `errors`, `disconnect`, `reportSignal`, `process`
   * @returns the installation, which you can dispose or bind with `using`
   * @throws TypeError for a name that is not a signal, and when the shutdown is installed already. Nothing is installed then.
   *   ClosedError when the shutdown has stopped
   * @example
   * ```ts
   * const shutdown = new Shutdown({ logger: false });
   * const before = process.listenerCount('SIGTERM');
   * {
   *   using _ = shutdown.install({ signals: ['SIGTERM'] });
   *   console.log(process.listenerCount('SIGTERM') - before); // => 1
   * }
   * console.log(process.listenerCount('SIGTERM') - before); // => 0
   * ```
   */
  install(options: InstallOptions = {}): Installation {
    checkOptions('install', options, installOptions, installFlags);
    const isFirst = this.#installation === undefined;
    const installation = this.installWith(options);
    if (isFirst) void this.ended().then(({ exitCode }) => this.#finishInstallation(exitCode));
    return installation;
  }

  /** @internal As `install`, for a caller that ends the process itself. */
  installWith(options: InstallOptions, exitNow?: (signal: string) => void): Installation {
    if (this.state === 'stopped') throw new ClosedError('install: the shutdown has stopped; make a new one');
    if (this.#installation?.isInstalled === true) {
      throw new TypeError(
        'install: it is installed already; dispose that installation first, or each signal would count twice',
      );
    }
    const callbacks = installCallbacksOf(
      this.sequence,
      this.#guards,
      this.log,
      (event) => this.#emit(event),
      () => this.report(),
    );
    this.#installation = new Installation(callbacks, options, exitNow);
    this.log.stderr = this.#installation.process.stderr;
    return this.#installation;
  }

  /** Does nothing when the installation was disposed before. */
  #finishInstallation(exitCode: number): void {
    if (this.#installation?.isInstalled !== true) return;
    this.#installation.dispose();
    if (exitCode !== 0) this.#installation.process.exitCode = exitCode;
  }

  #emit(event: ShutdownEvent): void {
    for (const report of this.#reporters) report(event, this);
  }

  #stopped(): void {
    const report = this.report();
    this.#emit({ type: 'stopped', report });
    this.#end?.resolve(report);
    this.#isOver = true;
    this.#progress.close();
  }
}
