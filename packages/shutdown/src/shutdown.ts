import { type CancellationToken, ClosedError, type Registration } from '@quiesce/cancellation-token';
import { type WatchReceiver, type WatchSender, watch } from '@quiesce/channel';
import { checkFunction, checkOptions, defineHandle, show } from '@quiesce/internal';
import type { Drainable, ScopeTree } from '@quiesce/scope';
import { channelReporter } from './channel.ts';
import { describeEvent } from './describe.ts';
import { printError } from './describe-error.ts';
import { createDrainTarget, inFlightOf } from './drain-target.ts';
import type { Reporter, ShutdownEvent } from './events.ts';
import { formatReport } from './format-report.ts';
import { GuardRegistry, type ShutdownGuard } from './guard.ts';
import { type HookHandle, type HookOptions, hookOf, RegisteredHook } from './hook-handle.ts';
import type { HookFunction } from './hooks.ts';
import { host } from './host.ts';
import { Installation, type InstallCallbacks, type InstallOptions, installFlags, installOptions } from './install.ts';
import { MainWarning } from './main-warning.ts';
import { makeReport } from './make-report.ts';
import {
  checkName,
  checkShutdownOptions,
  clockOf,
  type Limits,
  type ShutdownOptions,
  shutdownFlags,
  shutdownOptions,
  tokenOf,
} from './options.ts';
import { ProgressLine, progressTimer } from './progress.ts';
import type { ShutdownReport } from './report.ts';
import { ShutdownLog } from './shutdown-log.ts';
import { ShutdownSequence } from './shutdown-sequence.ts';
import type { ShutdownProgress, ShutdownState } from './state.ts';
import { systemdReporter } from './systemd.ts';
import { watchdogReporter } from './watchdog.ts';

/** What can be said of something to drain. */
export interface AddOptions {
  /** Says what is under way in it, such as `() => scope.tree()`: reports then name each task, its age and where it was spawned. */
  readonly tree?: (() => ScopeTree) | undefined;
}

/**
 * Brings a program to rest: states, phases, hooks and time limits from the first request to the report.
 *
 * `running → stopping → draining → cleanup → stopped`, in this order and never back. It listens to nothing until `install`
 * is called, and never calls `process.exit`: that is `runMain`'s.
 *
 * **Timing.** A request changes the state synchronously; hooks and drainables are called from a microtask on.
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
      const { inFlight, waitingFor } = progress;
      const { request, force } = sequence.state;
      return { name, state, inFlight, waitingFor, request, force };
    },
  });
  /** @internal */
  readonly sequence: ShutdownSequence;
  /** @internal */
  readonly log: ShutdownLog;
  /** The name given; `undefined`: none. */
  readonly name: string | undefined;
  readonly #guards: GuardRegistry;
  readonly #reporters: readonly Reporter[];
  readonly #mainWarning: MainWarning;
  readonly #progress: WatchSender<ShutdownProgress>;
  /** Set when everybody has been told of the end, and the watch is closed. */
  #isOver = false;
  /** What requests the shutdown when a token is cancelled; unregistered by the request. */
  readonly #requesters: Registration[] = [];
  /** The last one; set by `install`. */
  #installation: Installation | undefined;
  /** Settles `stopped()`; made when that is first called. */
  #end: { readonly promise: Promise<ShutdownReport>; readonly resolve: (report: ShutdownReport) => void } | undefined;

  /**
   * Makes one that is running, and that nothing but a call or its `signal` can ask.
   *
   * @param options limits, in ms: `readinessDelay`, `drainTimeout`, `cancelTimeout`, `hookTimeout`, `timeout`, `forceTimeout`,
   *   `finalTimeout`; `name`, `signal`, `logger`, `progressInterval`, `leakDetection`, `watchdog`, `systemd`, `clock`
   * @throws RangeError for a time that is negative or no number; TypeError when `name` is no name, `signal` no signal, or
   *   `logger` lacks a method
   */
  constructor(options: ShutdownOptions = {}) {
    checkOptions('new Shutdown', options, shutdownOptions, shutdownFlags);
    const limits = checkShutdownOptions('new Shutdown', options);
    const token = tokenOf(options.signal);
    this.name = options.name;
    const clock = clockOf(options);
    this.log = new ShutdownLog(options);
    this.sequence = new ShutdownSequence(
      clock,
      limits,
      (event) => this.#emit(event),
      () => this.#stopped(),
    );
    this.#mainWarning = new MainWarning(this.sequence, (text) => this.log.warn(text));
    this.#guards = new GuardRegistry(clock, options.leakDetection === true, (leak) => {
      this.#emit({ type: 'leak', name: leak.name, site: leak.site });
    });
    this.sequence.addTarget(this.#guards.target);
    this.#reporters = this.#makeReporters(options, limits);
    [this.#progress] = watch<ShutdownProgress>(this.progress);
    // Cancelling the token requests the shutdown: law 3 does not let us take it back.
    this.#requesters = [this.stopAccepting.onCancelled((reason) => this.request(reason))];
    const following = token?.onCancelled((reason) => this.sequence.request({ kind: 'abort', reason }));
    if (following !== undefined) this.#requesters.push(following);
  }

  /** Where it stands. */
  get state(): ShutdownState {
    return this.sequence.state.current;
  }

  /** Whether new work should be sent here: false from the request on. For readiness probes. */
  get isReady(): boolean {
    return this.state === 'running';
  }

  /** Cancelled when the program is to take in nothing more; its reason says who asked. Cancelling it asks for the shutdown. */
  get stopAccepting(): CancellationToken {
    return this.sequence.state.stopAccepting;
  }

  /** Cancelled when work must end now: its time is over, the shutdown is forced, or all is drained. */
  get stopNow(): CancellationToken {
    return this.sequence.state.stopNow;
  }

  /**
   * Asks for the shutdown.
   *
   * **Timing.** Synchronous: the state has changed when it returns. It waits for nothing; `stopped()` does.
   *
   * @param reason what everybody sees as the reason, verbatim; default: a `CancelledError` with the source `shutdown`
   * @returns whether this was the first request; all others change nothing
   */
  request(reason?: unknown): boolean {
    return this.sequence.request({ kind: 'call', ...(reason !== undefined && { reason }) });
  }

  /**
   * Ends all waiting: both tokens are cancelled, the hooks that are left share `forceTimeout`, then those that are `final`
   * run. What a second signal and the total deadline do.
   *
   * **Timing.** Synchronous; asks for the shutdown if nobody has.
   *
   * @returns whether this forced it; false when it was forced before, or has stopped
   */
  force(): boolean {
    return this.sequence.force({ by: 'call' });
  }

  /**
   * Waits for the end of the shutdown, whoever asks for it and whenever.
   *
   * **Cancel safety.** It can be awaited any number of times, also afterwards. A hook that awaits it waits for itself, until
   * its timeout. So does the `main` of `runMain`, or a task of its scope, until `drainTimeout`: there await
   * `stopAccepting.cancelled()`. A warning says so once nothing else has been left for a second.
   *
   * @returns the report; never rejects
   */
  stopped(): Promise<ShutdownReport> {
    this.#mainWarning.isEndAwaited = true;
    return this.ended();
  }

  /** @internal The same, for those that cannot be waited for in their turn. */
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
   * Registers a hook: something to be done on the way out, once.
   *
   * Hooks of one phase run one at a time: by `priority`, higher first; of the same priority the last one registered first,
   * so that what was opened first is closed last; `after` goes before both. One that throws, or does not end in time, is
   * recorded, and the next one runs.
   *
   * **Timing.** Never called synchronously by `hook`. One that is registered while its phase is under way runs in it.
   *
   * @param name how texts and `after` call it; each name once
   * @param run gets a token, cancelled at its timeout and by force, and the request; may return a promise, which is awaited
   * @param options `phase`, `priority`, `after`, `timeout`
   * @returns a handle, to take it back
   * @throws HookError when the name is taken, `after` names a hook that there is not, or of a later phase, or itself in the
   *   end; ClosedError when its phase is over; TypeError for what is no name, function, phase or list; RangeError for a
   *   timeout or priority that is no number
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
  hook(name: string, run: HookFunction, options: HookOptions = {}): HookHandle {
    const hook = hookOf(name, run, options);
    this.sequence.addHook(hook);
    return new RegisteredHook(name, () => this.sequence.hooks.remove(hook));
  }

  /**
   * Takes in something that accepts work: it is stopped when the program stops accepting, and its work is waited for.
   *
   * **Timing.** `announce()`, where it has one, is called when stopping begins, `stop()` after `readinessDelay`, then
   * `drain()`; synchronously here what is due already.
   *
   * @param drainable a tracker, a server, a pool: whatever has `name`, `inFlight`, `stop()` and `drain(token)`
   * @param options `tree`: says what is under way in it
   * @returns takes it back: it is neither stopped nor waited for; says whether that came in time
   * @throws ClosedError when draining is over; TypeError for what is no drainable, or no function that gives a tree
   */
  add(drainable: Drainable, options?: AddOptions): () => boolean {
    if (typeof drainable?.stop !== 'function' || typeof drainable.drain !== 'function') {
      const { listen } = Object(drainable) as { readonly listen?: unknown };
      const hint = typeof listen === 'function' ? '; write add(drain(server)), with drain of @quiesce/http-drain' : '';
      throw new TypeError(`add: expected { name, inFlight, stop(), drain(token) }, got ${show(drainable)}${hint}`);
    }
    if (drainable.announce !== undefined) checkFunction('add: announce', drainable.announce);
    checkOptions('add', options, ['tree']);
    if (options?.tree !== undefined) checkFunction('add: tree', options.tree);
    const { name } = drainable;
    checkName('add', name);
    const target = createDrainTarget(drainable, name, { tree: options?.tree });
    this.sequence.addTarget(target);
    return () => target.notified !== 'stopped' && this.sequence.targets.delete(target);
  }

  /**
   * Counts something as in flight until the guard is disposed: an acquisition, a request, a job.
   *
   * @param name how reports call it
   * @returns the guard; `using guard = shutdown.guard('import')`
   * @throws TypeError for what is no name
   * @example
   * ```ts
   * const shutdown = new Shutdown();
   * {
   *   using _ = shutdown.guard('import');
   *   console.log(shutdown.progress.inFlight); // => 1
   * }
   * console.log(shutdown.progress.inFlight); // => 0
   * ```
   */
  guard(name: string): ShutdownGuard {
    checkName('guard', name);
    return this.#guards.make(name, Shutdown.prototype.guard);
  }

  /** How it stands now; measured at each reading. */
  get progress(): ShutdownProgress {
    const { state, currentHook } = this.sequence;
    const targets = [...this.sequence.targets];
    const hooks = currentHook === undefined ? [] : [currentHook];
    const isDraining = this.state === 'stopping' || this.state === 'draining';
    const busy = isDraining ? targets.filter((target) => target.state !== 'drained' && inFlightOf(target) > 0) : [];
    return {
      state: this.state,
      inFlight: targets.reduce((sum, target) => sum + inFlightOf(target), 0),
      waitingFor: [...busy, ...hooks].map(({ name }) => name),
      elapsed: Math.round(state.elapsed()),
    };
  }

  /**
   * The progress as a `watch`: changed at each step, and each `progressInterval` while the shutdown waits.
   *
   * @returns a receiver of its own, for the caller to close; it ends with the shutdown
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

  /** How it stands, at any time: what `stopped()` gives at the end. {@link formatReport} prints it. */
  report(): ShutdownReport {
    return makeReport(this.sequence, this.name, this.#guards.leaks);
  }

  #measure(): void {
    // A failure can come, or a leak be found, when all is over: the watch has ended by then.
    if (!this.#isOver) this.#progress.sendReplace(this.progress);
  }

  /**
   * Listens to the process: signals, errors that nobody caught, a parent that disconnects.
   *
   * The first signal requests the shutdown, the second forces it, the third does what it would have done without the
   * installation. The same signal within `signalDebounce` counts once. A signal that the process sends to itself with
   * `process.kill` never forces; that function is wrapped while anything is installed. When the shutdown has stopped, everything
   * is uninstalled, and `process.exitCode` is set if ours is not 0. After `uninstall` the process is left alone.
   *
   * @param options `signals`, `signalDebounce`, `errors`, `disconnect`, `reportSignal`
   * @returns the installation, to be uninstalled; also as `using`
   * @throws TypeError for what is no signal, and when it is installed already; then nothing is installed; ClosedError when the shutdown has stopped
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
    if (isFirst) void this.ended().then(({ exitCode }) => this.#leave(exitCode));
    return installation;
  }

  /** @internal The same, for whoever ends the process itself. */
  installWith(options: InstallOptions, exitNow?: (signal: string) => void): Installation {
    if (this.state === 'stopped') throw new ClosedError('install: the shutdown has stopped; make a new one');
    if (this.#installation?.isInstalled === true) {
      throw new TypeError('install: it is installed already; uninstall that first, or each signal would count twice');
    }
    this.#installation = new Installation(this.#installCallbacks(), options, exitNow);
    return this.#installation;
  }

  /** A process that was let go of before is none of ours. */
  #leave(exitCode: number): void {
    if (this.#installation?.isInstalled !== true) return;
    this.#installation.uninstall();
    if (exitCode !== 0) host.exitCode = exitCode;
  }

  /** Returns the functions that receive each event, in their order. */
  #makeReporters(options: ShutdownOptions, limits: Limits): Reporter[] {
    const { log } = this;
    const line = new ProgressLine(log);
    const timer = progressTimer(this.sequence.state.clock, options.progressInterval ?? 1_000, () => {
      this.#measure();
      line.show(this);
    });
    return [
      ({ type }) => {
        // A signal that lives longer than the shutdown must not retain it.
        if (type === 'requested') for (const registration of this.#requesters) registration.unregister();
      },
      timer,
      ...(options.systemd === false ? [] : [systemdReporter(limits, log)]),
      ...(options.watchdog === true ? [watchdogReporter(limits, log)] : []),
      channelReporter,
      log.reporter,
      line.reporter,
      this.#mainWarning.reporter,
      ({ type }) => {
        // It changes no progress.
        if (type !== 'signal ignored') this.#measure();
      },
    ];
  }

  #emit(event: ShutdownEvent): void {
    for (const report of this.#reporters) report(event, this);
  }

  #installCallbacks(): InstallCallbacks {
    const { sequence, log } = this;
    const { state } = sequence;
    return {
      clock: state.clock,
      stopAccepting: state.stopAccepting,
      isRequested: () => state.request !== undefined,
      request: (request) => sequence.request(request),
      force: (signal) => sequence.force({ by: 'signal', signal }),
      recordError: (where, error) => state.recordError(where, error),
      recordLeak: (error) => this.#guards.recordLeak(error),
      // A developer who presses Ctrl-C twice must see why nothing happens.
      signalIgnored: (event) => {
        log.writeWithoutLogger(() => describeEvent(event)?.[1] as string);
        this.#emit(event);
      },
      printError: (error) => void log.writeWithoutLogger(() => printError(error)),
      printReport: () => {
        if (!log.writeWithoutLogger(() => formatReport(this.report()))) log.printReport(this.report(), 'info');
      },
    };
  }

  #stopped(): void {
    const report = this.report();
    this.#emit({ type: 'stopped', report });
    this.#end?.resolve(report);
    this.#isOver = true;
    this.#progress.close();
  }
}
