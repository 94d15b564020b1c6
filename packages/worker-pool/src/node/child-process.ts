// The same bridge for processes: messages over IPC in place of shared memory, so that only a turn of the event loop of the
// child can see a cancellation.

import type { ChildProcess } from 'node:child_process';
import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, checkTime } from '@quiesce/internal';
import { WorkerEndedError } from './errors.ts';
import { follow } from './following.ts';
import { errorOf, unwireReason, type WiredReason, wireJson } from './reason.ts';

/** The key of our messages among others on the same channel. */
const KEY = 'quiesce.cancel';

/** How a child process is ended. */
export interface GuardChildOptions {
  /** Cancels it. */
  readonly token: CancellationToken | AbortSignal;
  /** How many milliseconds, 0 to `Infinity`, it may take to exit once it is cancelled. Default: 1,000. */
  readonly grace?: number | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** How a child process exited. */
export interface ChildExit {
  /** The exit code; `null`: a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it; `null`: it exited by itself. */
  readonly signal: NodeJS.Signals | null;
}

/**
 * Waits for a child process with an IPC channel (`fork`), which `parentToken` in the child lets stop when it is cancelled.
 *
 * **Timing.** The child is told when the token is cancelled, and awaited. What has not exited after `grace` is killed.
 *
 * @returns how it exited; that is the acknowledgement
 * @throws (rejects) WorkerEndedError when it was killed; the error when it could not be spawned; RangeError for a bad time
 * @example
 * ```ts
 * import { spawn } from 'node:child_process';
 * import { guardChild } from '@quiesce/worker-pool/node';
 *
 * const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
 * console.log(await guardChild(child, { token: CancellationToken.never })); // => { code: 0, signal: null }
 * ```
 */
export async function guardChild(child: ChildProcess, options: GuardChildOptions): Promise<ChildExit> {
  checkOptions('guardChild', options, ['token', 'grace', 'clock']);
  const { grace = 1_000, clock = systemClock } = Object(options) as GuardChildOptions;
  checkTime('guardChild: grace', grace);
  const token = CancellationToken.from(options.token, 'guardChild: token');
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
    timer = clock.setTimer(grace, kill, { ref: true });
    send(child, reason);
  });
  try {
    const exit = await exited;
    // One that was about to be collected can be killed too, and has exited by itself.
    if (isKilled && exit.signal === 'SIGKILL') throw new WorkerEndedError(`Process ${child.pid}`, grace, token.reason);
    return exit;
  } finally {
    registration.unregister();
    unlisten();
    if (timer !== undefined) clock.clearTimer(timer);
  }
}

/** A child that is gone, or has no channel, is told nothing: it exits, or is killed. */
function send(child: ChildProcess, reason: unknown): void {
  if (!child.connected) return;
  const ignore = (): void => {};
  try {
    child.send({ [KEY]: wireJson(reason) } as never, ignore);
  } catch {
    child.send({ [KEY]: errorOf(reason) } as never, ignore);
  }
}

/**
 * In a child process: the token that `guardChild` in the parent cancels; also cancelled when the parent is gone.
 *
 * **Timing.** At a turn of the event loop. It does not hold the process.
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

/** Above all that `parentToken` returns; made by its first call. */
let parent: CancellationToken | undefined;

function followParent(): CancellationToken {
  const { token, abort } = follow(() => {});
  // Only the listeners of others hold the process, as if ours were not there.
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
