import { CancellationToken, isCancellationOf, isCancelledError } from '@quiesce/cancellation-token';
import { checkFunction, checkTime } from '@quiesce/internal';
import { type Drainable, type Scope, scope } from '@quiesce/scope';
import { flushOutput } from './flush.ts';
import { host } from './host.ts';
import type { InstallOptions } from './install.ts';
import type { ShutdownOptions } from './options.ts';
import { Shutdown } from './shutdown.ts';
import { signalNumber } from './signal-number.ts';
import { Terminal } from './terminal.ts';
import { within } from './within.ts';

/** How a program is run. */
export interface RunMainOptions extends ShutdownOptions, InstallOptions {
  /** Records where each task of the program was spawned, for reports: a stack trace a task. Default: false. */
  readonly spawnSites?: boolean | undefined;
  /** How long, in ms, stdout and stderr may take to be written out before the process ends. Default: 1,000. */
  readonly flushTimeout?: number | undefined;
}

/** The longest time that a timer of the platform can wait. */
const LONGEST = 2 ** 31 - 1;

/** Whether a program is running: a process has one. */
let isRunning = false;

/**
 * Owns the process: runs the program in a scope, shuts down in order when it ends, fails, or is told to, and exits.
 *
 * A service stays in its `main` until `shutdown.stopAccepting` is cancelled; when `main` and its tasks have ended, the
 * shutdown begins by itself. The scope is drained like everything that was added: at `drainTimeout` its token is cancelled.
 *
 * **Timing.** `main` is called synchronously. The process is held until the end, whatever it waits for.
 *
 * **Cancel safety.** The first signal requests the shutdown, the second forces it, the third exits at once. The same signal within
 * `signalDebounce` counts once: one Ctrl-C often arrives twice.
 *
 * @param main gets the scope, whose signal is `shutdown.stopNow`, and the shutdown
 * @param options those of `Shutdown` and `install`; `spawnSites`; `flushTimeout`. Default `logger`: lines on stderr
 * @returns never settles: `process.exit` is called with 0 (clean; or the `process.exitCode` that was set), 1 (something
 *   failed or ran out of time), or 128+n (forced by the signal n)
 * @throws (rejects) TypeError when `main` is no function; Error when a program is running already; what `new Shutdown` and
 *   `install` refuse
 * @see effect's `NodeRuntime.runMain`
 * @example
 * <!-- run by test/e2e/run-main-example.test.ts -->
 * ```typescript
 * import { runMain } from '@quiesce/shutdown';
 *
 * await runMain(async (scope, shutdown) => {
 *   shutdown.hook('db', () => console.log('db: closed'));
 *   scope.spawn(async () => console.log('worker: done'));
 *   console.log('main: done');
 * });
 * // => worker: done
 * // => main: done
 * // => db: closed
 * ```
 */
export async function runMain(
  main: (scope: Scope, shutdown: Shutdown) => unknown,
  options: RunMainOptions = {},
): Promise<void> {
  checkFunction('runMain', main);
  const flushTimeout = checkTime('flushTimeout', options.flushTimeout ?? 1_000);
  if (isRunning) throw new Error('runMain: a program is running in this process already; it has one runMain');
  const shutdown = new Shutdown({ ...options, logger: options.logger ?? new Terminal(host.stderr) });
  const exitNow = (signal: string): never => host.exit(128 + signalNumber(signal));
  const installation = shutdown.installWith(options, exitNow);
  isRunning = true;
  // Whoever read it has gone, and there is nobody else to tell: not an error that nobody caught, which would be logged again.
  const unread = (): void => {};
  host.stderr.on('error', unread);
  const hold = setInterval(() => {}, LONGEST);
  runProgram(main, shutdown, options.spawnSites === true);
  await shutdown.stopped();
  await flushOutput(flushTimeout);
  // Asked again: something may have failed meanwhile.
  const { exitCode } = shutdown.report();
  clearInterval(hold);
  installation.uninstall();
  host.stderr.off('error', unread);
  isRunning = false;
  // One that the user has set is kept where ours is 0.
  if (exitCode !== 0) host.exitCode = exitCode;
  host.exit();
}

/** Starts the program as something to drain; its end asks for the shutdown. */
function runProgram(
  main: (scope: Scope, shutdown: Shutdown) => unknown,
  shutdown: Shutdown,
  spawnSites: boolean,
): void {
  const { machine } = shutdown;
  let isOver = false;
  const program: Drainable = {
    name: 'main',
    get inFlight() {
      return isOver ? 0 : 1;
    },
    stop() {},
    drain: async (given) => {
      const token = CancellationToken.from(given);
      if ((await within(ended, Number.POSITIVE_INFINITY, token, machine.clock)) === 'forced') throw token.reason;
    },
  };
  const body = (s: Scope): unknown => {
    shutdown.add(program, { tree: () => s.tree() });
    // A failure is known before the rest of the program, which waits for the shutdown, has ended.
    s.token.onCancelled((reason) => {
      const error = isCancelledError(reason) && reason.source === 'sibling' ? reason.cause : undefined;
      machine.ask(error === undefined ? { kind: 'call', reason } : { kind: 'error', reason: error });
    });
    return main(s, shutdown);
  };
  const ended = scope(body, { signal: shutdown.stopNow, name: 'main', spawnSites }).then(
    () => {
      isOver = true;
      machine.ask({ kind: 'end' });
    },
    (error: unknown) => {
      isOver = true;
      if (isCancellationOf(error, shutdown.stopNow)) machine.ask({ kind: 'end' });
      else if (!machine.ask({ kind: 'error', reason: error }) && machine.request?.reason !== error) {
        machine.failed('main', error);
      }
    },
  );
}
