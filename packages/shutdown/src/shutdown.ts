import { type CancellationToken, ClosedError, type Registration } from '@quiesce/cancellation-token';
import { type WatchReceiver, type WatchSender, watch } from '@quiesce/channel';
import { checkFunction, checkOptions, defineHandle, show } from '@quiesce/internal';
import type { Drainable, ScopeTree } from '@quiesce/scope';
import type { ShutdownEvent, ShutdownState } from './events.ts';
import { Guards, type ShutdownGuard } from './guard.ts';
import { type HookHandle, type HookOptions, hookOf, RegisteredHook } from './hook-handle.ts';
import { host } from './host.ts';
import { Installation, type InstallOptions, installFlags, installOptions } from './install.ts';
import { type HookFunction, Machine } from './machine.ts';
import { Observers } from './observers.ts';
import {
  checkName,
  checkShutdownOptions,
  clockOf,
  type ShutdownOptions,
  shutdownFlags,
  shutdownOptions,
  tokenOf,
} from './options.ts';
import { inFlightOf, type Part, partOf } from './parts.ts';
import { reportOf, type ShutdownReport } from './report.ts';

/** What can be said of something to drain. */
export interface AddOptions {
  /** Says what is under way in it, such as `() => scope.tree()`: reports then name each task, its age and where it was spawned. */
  readonly tree?: (() => ScopeTree) | undefined;
}

/** How a shutdown stands. */
export interface ShutdownProgress {
  /** Where it is. */
  readonly state: ShutdownState;
  /** How much is under way in everything that was added, and in guards. */
  readonly inFlight: number;
  /** What the shutdown is waiting for now, by name. */
  readonly waitingFor: readonly string[];
  /** Since the request, in ms; 0 before. */
  readonly elapsed: number;
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
    facts: ({ name, state, progress, machine }) => {
      const { inFlight, waitingFor } = progress;
      const { request, force } = machine;
      return { name, state, inFlight, waitingFor, request, force };
    },
  });
  /** @internal */
  readonly machine: Machine;
  /** @internal */
  readonly observers: Observers;
  /** The name given; `undefined`: none. */
  readonly name: string | undefined;
  readonly #guards: Guards;
  readonly #progress: WatchSender<ShutdownProgress>;
  /** Set when everybody has been told of the end, and the watch is closed. */
  #isOver = false;
  /** Whether the user has asked for the end, and may await it; unset by the warning. */
  #isEndAwaited = false;
  /** What requests the shutdown when a token is cancelled; unregistered by the request. */
  readonly #asking: Registration[] = [];
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
    this.observers = new Observers(this, options, limits);
    const tell = (event: ShutdownEvent): void => this.#told(event);
    this.machine = new Machine(clockOf(options), limits, tell, () => this.#stopped());
    this.#guards = new Guards(this.machine.clock, options.leakDetection === true, (leak) => {
      tell({ type: 'leak', name: leak.name, site: leak.site });
    });
    this.machine.addPart(this.#guards.part);
    [this.#progress] = watch<ShutdownProgress>(this.progress);
    // Cancelling the token requests the shutdown: law 3 does not let us take it back.
    this.#asking = [this.stopAccepting.onCancelled((reason) => this.request(reason))];
    const following = token?.onCancelled((reason) => this.machine.ask({ kind: 'abort', reason }));
    if (following !== undefined) this.#asking.push(following);
  }

  /** Where it stands. */
  get state(): ShutdownState {
    return this.machine.state;
  }

  /** Whether new work should be sent here: false from the request on. For readiness probes. */
  get isReady(): boolean {
    return this.state === 'running';
  }

  /** Cancelled when the program is to take in nothing more; its reason says who asked. Cancelling it asks for the shutdown. */
  get stopAccepting(): CancellationToken {
    return this.machine.stopAccepting;
  }

  /** Cancelled when work must end now: its time is over, the shutdown is forced, or all is drained. */
  get stopNow(): CancellationToken {
    return this.machine.stopNow;
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
    return this.machine.ask({ kind: 'call', ...(reason !== undefined && { reason }) });
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
    return this.machine.forceBy({ by: 'call' });
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
    this.#isEndAwaited = true;
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
    this.machine.addHook(hook);
    return new RegisteredHook(name, () => this.machine.hooks.remove(hook));
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
    const part = partOf(drainable, name, { tree: options?.tree });
    this.machine.addPart(part);
    return () => part.told !== 'stopped' && this.machine.parts.delete(part);
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
    const { machine } = this;
    const parts = [...machine.parts];
    const hooks = machine.current === undefined ? [] : [machine.current];
    const isDraining = this.state === 'stopping' || this.state === 'draining';
    const busy = isDraining ? parts.filter((part) => part.state !== 'drained' && inFlightOf(part) > 0) : [];
    return {
      state: this.state,
      inFlight: parts.reduce((sum, part) => sum + inFlightOf(part), 0),
      waitingFor: [...busy, ...hooks].map(({ name }) => name),
      elapsed: Math.round(machine.elapsed()),
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
      this.measured();
      return this.#progress.subscribe();
    }
    const [sender, receiver] = watch(this.progress);
    sender.close();
    return receiver;
  }

  /** How it stands, at any time: what `stopped()` gives at the end. {@link formatReport} prints it. */
  report(): ShutdownReport {
    return reportOf(this.machine, this.name, this.#guards.leaks);
  }

  /** @internal Whether it is a leak that somebody else has found, and that we were told to look for; then it is reported. */
  takeLeak(error: unknown): boolean {
    return this.#guards.takeLeak(error);
  }

  /** @internal The progress was measured again. */
  measured(): void {
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
    this.#installation = new Installation(this, options, exitNow);
    return this.#installation;
  }

  /** A process that was let go of before is none of ours. */
  #leave(exitCode: number): void {
    if (this.#installation?.isInstalled !== true) return;
    this.#installation.uninstall();
    if (exitCode !== 0) host.exitCode = exitCode;
  }

  #told(event: ShutdownEvent): void {
    // A signal that lives longer keeps nothing of us, and `stopAccepting` has the waiters of others only.
    if (event.type === 'requested') for (const registration of this.#asking) registration.unregister();
    this.observers.tell(event);
    const { state, program } = this.machine;
    if (event.type === 'state' && state === 'draining' && program !== undefined) this.#watchMain(program.part);
    if (event.type === 'cut off' && event.name === program?.part.name) this.#warnOfMain();
    this.measured();
  }

  /** Warns when the end of main is all that is left for a second, long before `main` is cut off. */
  #watchMain(main: Part): void {
    const look = (): void => {
      const { state, parts, current } = this.machine;
      if (state !== 'draining' || main.state === 'drained') return;
      const others = [...parts].filter((part) => part !== main && part.state !== 'drained');
      if (others.length === 0 && current === undefined) this.#warnOfMain();
      else this.#watchMain(main);
    };
    this.machine.clock.setTimer(1_000, look, { ref: false });
  }

  #warnOfMain(): void {
    if (!this.#isEndAwaited) return;
    this.#isEndAwaited = false;
    this.observers.warn(
      'main may be waiting for shutdown.stopped(), which waits for main and its tasks: ' +
        'await shutdown.stopAccepting.cancelled() there',
    );
  }

  #stopped(): void {
    const report = this.report();
    this.#told({ type: 'stopped', report });
    this.#end?.resolve(report);
    this.#isOver = true;
    this.#progress.close();
  }
}
