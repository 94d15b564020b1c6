// The bridge to processes uses messages over IPC instead of shared memory. The child sees a cancellation only when its event
// loop delivers the message.

import type { ChildProcess } from 'node:child_process';
import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, checkTime } from '@quiesce/internal';
import { WorkerEndedError } from '../web/errors.ts';
import { remoteToken } from '../web/remote-token.ts';
import { unwireReason, type WiredReason, wireJson, wireTextJson } from '../web/wire-reason.ts';

/** Key of the messages of this module among others on the same channel. */
const KEY = 'quiesce.cancel';

/** Options for `guardChild`. */
export interface GuardChildOptions {
  /** Cancels the work of the child. */
  readonly signal: CancellationToken | AbortSignal;
  /** How many milliseconds, 0 to `Infinity`, a cancelled child may take to exit. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** The clock for time limits. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** How a child process exited. */
export interface ChildExit {
  /** The exit code, or `null` when a signal ended the process. */
  readonly code: number | null;
  /** The signal that ended the process, or `null` when it exited. */
  readonly signal: NodeJS.Signals | null;
}

/**
 * Waits for a child process with an IPC channel (`fork`). A cancellation of `signal` cancels `parentToken` in the child.
 *
 * **Timing.** When `signal` is cancelled, `guardChild` sends the reason to the child, and waits until it exits. It kills a
 * child that has not exited after `cleanupTimeout`.
 *
 * @param child the process
 * @param options `signal`, `cleanupTimeout` (ms), `clock`
 * @returns how the process exited
 * @throws (rejects) WorkerEndedError when the process was killed; the error when it could not be spawned; TypeError or
 *   RangeError for a wrong time
 * @example
 * ```ts
 * import { spawn } from 'node:child_process';
 * import { guardChild } from '@quiesce/worker-pool/node';
 *
 * const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
 * console.log(await guardChild(child, { signal: CancellationToken.never })); // => { code: 0, signal: null }
 * ```
 */
export async function guardChild(child: ChildProcess, options: GuardChildOptions): Promise<ChildExit> {
  checkOptions('guardChild', options, ['signal', 'cleanupTimeout', 'clock']);
  const { cleanupTimeout = 1_000, clock = systemClock } = Object(options) as GuardChildOptions;
  checkTime('guardChild: cleanupTimeout', cleanupTimeout);
  const token = CancellationToken.from(options.signal, 'guardChild: signal');
  checkKind(typeof child?.once === 'function' && 'exitCode' in child, 'guardChild', 'a ChildProcess', child);
  let timer: ReturnType<Clock['setTimer']> | undefined;
  let isKilled = false;
  const kill = (): void => {
    isKilled = child.kill('SIGKILL');
  };
  let unlisten = (): void => {};
  const exited = new Promise<ChildExit>((resolve, reject) => {
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void => resolve({ code, signal });
    child.once('exit', onExit).once('error', reject);
    unlisten = () => void child.off('exit', onExit).off('error', reject);
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve({ code: child.exitCode, signal: child.signalCode });
    }
  });
  const registration = token.onCancelled((reason) => {
    timer = clock.setTimer(cleanupTimeout, kill, { ref: true });
    send(child, reason);
  });
  try {
    const exit = await exited;
    // `kill` also succeeds for a process that has exited and was not reaped yet: that one was not killed.
    if (isKilled && exit.signal === 'SIGKILL')
      throw new WorkerEndedError(`Process ${child.pid}`, cleanupTimeout, token.reason);
    return exit;
  } finally {
    registration.dispose();
    unlisten();
    if (timer !== undefined) clock.clearTimer(timer);
  }
}

/** Sends nothing to a child that is gone or has no channel: it exits, or is killed. */
function send(child: ChildProcess, reason: unknown): void {
  if (!child.connected) return;
  const ignore = (): void => {};
  try {
    child.send({ [KEY]: wireJson(reason) } as never, ignore);
  } catch {
    child.send({ [KEY]: wireTextJson(reason) } as never, ignore);
  }
}

/**
 * Returns, in a child process, the token that `guardChild` in the parent cancels. The token is also cancelled when the parent
 * exits.
 *
 * **Timing.** The cancellation arrives as a message, through the event loop. The token does not hold the process.
 *
 * @throws Error when this process has no IPC channel to a parent
 * @example
 * ```ts
 * import { parentToken } from '@quiesce/worker-pool/node';
 *
 * const isChild = process.send !== undefined;
 * const token = isChild ? parentToken() : CancellationToken.never;
 * token.onCancelled((reason) => console.log('cleaning up:', reason));
 * console.log(token.isCancelled); // => false
 * ```
 */
export function parentToken(): CancellationToken {
  if (process.send === undefined) {
    throw new Error('parentToken: this process has no channel to a parent; start it with fork, or stdio "ipc"');
  }
  parent ??= followParent();
  return parent.childToken();
}

/** The parent of every token of `parentToken`, or `undefined` before its first call. */
let parent: CancellationToken | undefined;

function followParent(): CancellationToken {
  const { token, abort } = remoteToken(() => {});
  // The listeners of this module do not hold the process; all others do.
  let others = process.listenerCount('message') + process.listenerCount('disconnect');
  const count = (event: string | symbol, by: number): void => {
    if (event !== 'message' && event !== 'disconnect') return;
    others += by;
    if (others > 0) process.channel?.ref();
    else process.channel?.unref();
  };
  process.on('message', (message: unknown) => {
    const wired = (message as { [KEY]?: WiredReason } | null)?.[KEY];
    if (wired !== undefined) abort(unwireReason(wired));
  });
  process.once('disconnect', () => abort(new Error('The parent process is gone')));
  process.on('newListener', (event) => count(event, 1)).on('removeListener', (event) => count(event, -1));
  count('message', 0);
  return token;
}
