import { CancelledError } from '@quiesce/cancellation-token';
import { isError } from '@quiesce/internal';

/** What asked for a shutdown: the first one, which is the reason that everybody sees. */
export interface ShutdownRequest {
  /**
   * `signal`: of the operating system. `call`: `request()`. `error`: an error that nobody caught, or a program that failed.
   * `disconnect`: the parent process has gone. `abort`: the `signal` option. `end`: the program of `runMain` has ended.
   */
  readonly kind: 'signal' | 'call' | 'error' | 'disconnect' | 'abort' | 'end';
  /** Of a signal: its name, such as `SIGTERM`. */
  readonly signal?: string;
  /** Of a call and an abort: the reason given. Of an error: that error. */
  readonly reason?: unknown;
}

/** A request as a few words: `SIGTERM`, `an error: disk full`. */
export function describeRequest({ kind, signal, reason }: ShutdownRequest): string {
  if (kind === 'signal') return signal as string;
  if (kind === 'disconnect') return 'the parent process has disconnected';
  if (kind === 'end') return 'the program has ended';
  const why = reason === undefined ? '' : `: ${describeError(reason)}`;
  return kind === 'error' ? `an error${why}` : kind === 'call' ? `a call${why}` : `a cancelled signal${why}`;
}

/** The reason of the tokens: what the user gave, verbatim, else an error that says who asked. */
export function reasonOf(request: ShutdownRequest): unknown {
  const { kind, reason } = request;
  if (reason !== undefined && kind !== 'error') return reason;
  return new CancelledError(`The process is shutting down: ${describeRequest(request)}`, {
    source: 'shutdown',
    ...(reason !== undefined && { cause: reason }),
  });
}

/** A text without what would move a cursor, end a line or end a string of the system. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

/** Anything that was thrown, in one line. Never throws, whatever it is. */
export function describeError(error: unknown): string {
  try {
    const text = isError(error) ? error.message || error.name : String(error);
    return oneLine((text.split('\n')[0] as string).slice(0, 200));
  } catch {
    return 'something that cannot be printed';
  }
}
