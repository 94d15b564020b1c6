import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { checkChoice, checkFunction, checkOptions } from '@quiesce/internal';
import { type Drainable, type Scope, scope } from '@quiesce/scope';
import { checkProgram, watchListeners } from './check-program.ts';
import {
  createDrainTarget,
  type DrainTarget,
  inFlightOf,
  isAcceptingOf,
  isAwaitedByProgram,
  type ProgramActivity,
} from './drain-target.ts';
import { flushOutput } from './flush.ts';
import { host, signalNumber } from './host.ts';
import { checkInstallOptions, type InstallOptions, installFlags, installOptions } from './install.ts';
import { isEndBy } from './is-end-by.ts';
import { checkShutdownOptions, type ShutdownOptions, shutdownFlags, shutdownOptions } from './options.ts';
import { type ProcessLike, processOf } from './process-like.ts';
import { raceDeadline } from './race-deadline.ts';
import { Shutdown } from './shutdown.ts';
import { Terminal } from './terminal.ts';
import { watchWaits } from './watch-waits.ts';

/** Options for `runMain`. */
export interface RunMainOptions extends ShutdownOptions, InstallOptions {
  /** Records where each task of the program was spawned, for reports. Costs a stack trace for each task. Default: false. */
  readonly spawnSites?: boolean | undefined;
  /**
   * How long, in ms, the process waits until the logger has written everything, and stdout and stderr have been read. Default:
   * 1,000 for the logger and, after a signal and after an error, for both. When the program has ended without a signal, stdout and
   * stderr have no limit, as in Node. Lost output is reported on stderr, and makes the exit code 1.
   */
  readonly flushTimeout?: number | undefined;
  /**
   * The exit code when the signal n arrives before `main` has returned. `success` gives 0 when nothing failed, as for a service.
   * `signal` gives 128 + n, as shells expect of a command-line tool. Default: `success` when something has waited for
   * `shutdown.stopAccepting` by then, or an added server accepts requests, as in a service; `signal` otherwise.
   */
  readonly onInterrupted?: 'success' | 'signal' | undefined;
  /** Logs warnings about conflicting limits, signals that may not arrive, and other listeners for them. Default: true. */
  readonly checks?: boolean | undefined;
}

/** The longest time of a timer of the platform, in ms. */
const LONGEST = 2 ** 31 - 1;

const runMainOptions: readonly string[] = [...shutdownOptions, ...installOptions, ...['flushTimeout', 'onInterrupted']];
const runMainFlags: readonly string[] = [...shutdownFlags, ...installFlags, 'spawnSites', 'checks'];

/** The processes in which a program is running. A process has at most one. */
const running = new WeakSet<ProcessLike>();

/**
 * Owns the process: runs the program in a scope, shuts down in order when the program ends, fails or is requested to stop, and
 * exits.
 *
 * A service awaits `shutdown.stopAccepting.cancelled()` in its `main`. When `main` and its tasks have ended, the shutdown begins
 * without a request. The scope is drained like every drainable that was added: at `drainTimeout` its token is cancelled.
 *
 * Use it in the entry file of a program. A library, or a program with another owner of the process, uses `Shutdown`.
 *
 * Close a resource that only tasks use with `scope.use`. Close one that a server or a pool uses with `shutdown.hook`, which runs
 * after draining.
 *
 * **Timing.** `main` is called synchronously. The process stays alive until the end, even when nothing else keeps it alive. The
 * cleanups of `main` run when its tasks have ended. During a shutdown they also wait for the other drainables, but not beyond
 * `drainTimeout`. When `main` ends while other drainables have work in flight, the shutdown begins before the cleanups.
 *
 * **Cancel safety.** The first signal requests the shutdown, the second forces it, the third exits at once. The same signal
 * within `signalDebounce` counts once: one Ctrl-C often arrives twice.
 *
 * Work of `main` or of a task that rejects because of `stopAccepting` has ended and not failed. This holds for every way to wait:
 * `fetch`, `timers/promises`, `select`, a nested scope. The other tasks continue until `drainTimeout`.
 *
 * | the program                                                                 | exit code                                 |
 * | --------------------------------------------------------------------------- | ----------------------------------------- |
 * | ends without a signal, or is a service that a signal stops; nothing failed  | 0, or the `process.exitCode` that was set |
 * | is interrupted by the signal n before `main` has returned (`onInterrupted`) | 128 + n                                   |
 * | is forced by the signal n                                                   | 128 + n                                   |
 * | fails, runs out of time, or loses output                                    | 1                                         |
 *
 * @param main gets the scope, whose signal is `shutdown.stopNow`, and the shutdown
 * @param options those of `Shutdown` and `install`; `onInterrupted`; `checks`; `spawnSites`; `flushTimeout`. The default
 *   `logger` writes lines to stderr
 * @returns a promise that never fulfils: `process.exit` is called with the exit code of the table. With the option `process` it
 *   fulfils after the `exit` of that process
 * @throws (rejects) TypeError when `main` is not a function; Error when a program is running already, and in a worker thread; the
 *   errors of `new Shutdown` and `install` for their options
 * @see effect's `NodeRuntime.runMain`
 * @example
 * <!-- run by test/e2e/run-main-example.test.ts -->
 * ```typescript
 * import { runMain } from '@quiesce/shutdown';
 *
 * await runMain(async (scope, shutdown) => {
 *   const db = await scope.use({ rows: 3 }, () => console.log('db: closed'));
 *   shutdown.hook('telemetry', () => console.log('telemetry: sent'), { phase: 'final' });
 *   scope.spawn(async () => console.log('worker:', db.rows, 'rows'));
 *   console.log('main: done');
 * });
 * // => worker: 3 rows
 * // => main: done
 * // => db: closed
 * // => telemetry: sent
 * ```
 */
export async function runMain(
  main: (scope: Scope, shutdown: Shutdown) => unknown,
  options: RunMainOptions = {},
): Promise<void> {
  checkFunction('runMain', main, '; write runMain(main, options)');
  checkOptions('runMain', options, runMainOptions, runMainFlags);
  checkChoice('runMain: onInterrupted', options.onInterrupted, ['success', 'signal']);
  checkShutdownOptions('runMain', options);
  checkInstallOptions('runMain', options);
  const process = processOf(options);
  if (process === host) checkMainThread();
  if (running.has(process))
    throw new Error('runMain: a program is running in this process already; it has one runMain');
  const shutdown = new Shutdown({
    ...pick(options, [...shutdownOptions, ...shutdownFlags]),
    logger: options.logger ?? new Terminal(process.stderr),
  });
  if (options.checks !== false) for (const warning of checkProgram(options, process)) shutdown.log.warn(...warning);
  const exitNow = (signal: string): void => void process.exit(128 + signalNumber(signal));
  const installation = shutdown.installWith(options, exitNow);
  const unwatch =
    options.checks === false ? undefined : watchListeners(process, (text) => shutdown.log.warn('listeners', text));
  running.add(process);
  // When nothing reads stderr, the error must not be uncaught: it would be logged to stderr again.
  const ignoreUnread = (): void => {};
  process.stderr.on('error', ignoreUnread);
  const hold = setInterval(() => {}, LONGEST);
  runProgram(main, shutdown, options);
  await shutdown.ended();
  if (shutdown.sequence.state.request?.kind !== 'end') installation.signalled.cancel();
  const isLost = await flushOutput(process, options.flushTimeout, installation.signalled, shutdown.log);
  // Computed anew: something may have failed during the flushing.
  const { exitCode } = shutdown.report();
  clearInterval(hold);
  unwatch?.();
  installation.dispose();
  process.stderr.off('error', ignoreUnread);
  running.delete(process);
  // An exit code of the user is kept when the exit code of the report is 0.
  if (exitCode !== 0) process.exitCode = exitCode;
  else if (isLost && !process.exitCode) process.exitCode = 1;
  process.exit();
}

/** Starts the program as a drainable. Its end requests the shutdown. */
function runProgram(
  main: (scope: Scope, shutdown: Shutdown) => unknown,
  shutdown: Shutdown,
  { spawnSites = false, onInterrupted }: RunMainOptions,
): void {
  const { sequence, stopNow, stopAccepting } = shutdown;
  const { clock } = sequence.state;
  const hasWaited = watchWaits(stopAccepting);
  let hasReturned = false;
  let isOver = false;
  let isEnd = (error: unknown): boolean => isEndBy(error, stopNow);
  const body = async (s: Scope): Promise<void> => {
    let waitsForOthers = false;
    const activity: ProgramActivity = {
      isWaiting: () => waitsForOthers && s.tree().children.length === 1,
      isCleaning: () => !isOver && ['cleaning', 'closed'].includes(s.tree().state),
    };
    const program: Drainable = {
      name: 'main',
      get inFlightCount() {
        return isOver || activity.isWaiting() ? 0 : 1;
      },
      stop() {},
      drain: async (given) => {
        const token = CancellationToken.from(given);
        if ((await raceDeadline(ended, Number.POSITIVE_INFINITY, token, clock)) === 'forced') throw token.reason;
      },
    };
    const target = createDrainTarget(program, program.name, { tree: () => s.tree(), program: activity });
    sequence.addTarget(target);
    const others = (): DrainTarget[] => [...sequence.targets].filter((other) => other !== target);
    const isService = (): boolean => hasWaited() || others().some(isAcceptingOf);
    const isInterruptible = (): boolean =>
      !hasReturned && (onInterrupted ?? (isService() ? 'success' : 'signal')) === 'signal';
    sequence.program = { target, isInterruptible };
    // A failure requests the shutdown at once: the other tasks may wait for the shutdown before they end.
    s.token.onCancelled((reason) => {
      const error = isCancelledError(reason) && reason.source === 'sibling' ? reason.cause : undefined;
      sequence.request(error === undefined ? { kind: 'call', reason } : { kind: 'error', reason: error });
    });
    // Work that ends because the program stops, or because `main` has cancelled its scope, has not failed.
    isEnd = (error) =>
      isEndBy(error, stopNow) ||
      isEndBy(error, stopAccepting) ||
      (s.token.isCancelled && Object.is(error, s.token.reason));
    /** Keeps the scope open when its other work has ended, until other drainables no longer need its resources. */
    const waitForOthers = async (token: CancellationToken): Promise<void> => {
      await token.cancelled();
      if (others().some((other) => isAwaitedByProgram(other) && inFlightOf(other) > 0)) requestEnd();
      if (sequence.state.request === undefined) return;
      waitsForOthers = true;
      await sequence.othersEnded();
      waitsForOthers = false;
    };
    try {
      await main(s, shutdown);
      hasReturned = true;
    } finally {
      // A daemon is cancelled when only daemons are left.
      s.spawn(waitForOthers, { name: 'other drainables', daemon: true });
    }
  };
  const requestEnd = (): void => {
    const accepting = [...sequence.targets].filter(isAcceptingOf);
    if (sequence.state.request !== undefined || accepting.length === 0) sequence.request({ kind: 'end' });
    else sequence.request({ kind: 'error', reason: new Error(leftMain(accepting.map(({ name }) => name))) });
  };
  const ended = scope(body, { signal: stopNow, stopSignal: stopAccepting, name: 'main', spawnSites }).then(
    () => {
      isOver = true;
      requestEnd();
    },
    (error: unknown) => {
      isOver = true;
      if (isEnd(error)) sequence.request({ kind: 'end' });
      else if (!sequence.request({ kind: 'error', reason: error }) && sequence.state.request?.reason !== error) {
        sequence.state.recordError('main', error);
      }
    },
  );
}

/** Returns the options with these names. */
function pick(options: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)));
}

function leftMain(names: readonly string[]): string {
  return (
    `runMain: main has returned while ${names.join(', ')} accepts requests, so the program ends. A service waits in main ` +
    'for the shutdown: end main with `await shutdown.stopAccepting.cancelled()`'
  );
}

function checkMainThread(): void {
  if (host.getBuiltinModule('node:worker_threads').isMainThread) return;
  throw new Error(
    'runMain: this is a worker thread, which gets no signals and cannot end the process. Call runMain in the main thread; ' +
      'in a worker run scope(body)',
  );
}
