import { CancelledError } from '@quiesce/cancellation-token';
import { describeError } from './describe-error.ts';

/** The first request of a shutdown. Its reason becomes the reason of both tokens. */
export interface ShutdownRequest {
  /**
   * `signal`: of the operating system. `call`: `request()`. `error`: an uncaught error, or a program that failed.
   * `disconnect`: the parent process has disconnected. `abort`: the `signal` option. `end`: the program of `runMain` has ended.
   */
  readonly kind: 'signal' | 'call' | 'error' | 'disconnect' | 'abort' | 'end';
  /** The name of the signal, such as `SIGTERM`. Present only when `kind` is `signal`. */
  readonly signal?: string;
  /** The given reason of a call or an abort, or the error of an error. */
  readonly reason?: unknown;
}

/** Describes a request in a few words: `SIGTERM`, `an error: disk full`, or the reason of a call, such as `deploy`. */
export function describeRequest({ kind, signal, reason }: ShutdownRequest): string {
  if (kind === 'signal') return signal as string;
  if (kind === 'disconnect') return 'the parent process has disconnected';
  if (kind === 'end') return 'the program has ended';
  if (kind === 'call') return reason === undefined ? 'the program has requested it' : describeError(reason);
  const what = kind === 'error' ? 'an error' : 'a cancelled signal';
  return reason === undefined ? what : `${what}: ${describeError(reason)}`;
}

/** Returns the reason of the tokens: the given reason, verbatim, or else a `CancelledError` that names the request. */
export function reasonOf(request: ShutdownRequest): unknown {
  const { kind, reason } = request;
  if (reason !== undefined && kind !== 'error') return reason;
  return new CancelledError(`The process is shutting down: ${describeRequest(request)}`, {
    source: 'shutdown',
    ...(reason !== undefined && { cause: reason }),
  });
}
