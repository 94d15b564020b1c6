import { type CancellationToken, systemClock } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describeError } from './describe-error.ts';
import { host } from './host.ts';
import { isUnread } from './install.ts';
import type { ProcessLike } from './process-like.ts';
import { raceDeadline } from './race-deadline.ts';

/** The parts of a process stream that flushing uses. */
export interface Flushable {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(text: string, done: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
}

/** The time that a reader has after a signal, in ms. */
const AFTER_SIGNAL = 1_000;

/**
 * Waits until the logger has written everything, and then until stdout and stderr have been read: the logger may write there.
 *
 * @param process the process that ends
 * @param ms the limit. Without it, the logger has `AFTER_SIGNAL`. The others have no limit until a signal arrives, and
 *   `AFTER_SIGNAL` from then on
 * @param signalled cancelled by a signal, or from the start when a signal or an error ended the program
 * @param log `flush` fulfils when the logger has written everything
 * @returns whether something was lost
 */
export async function flushOutput(
  { stdout, stderr }: ProcessLike,
  ms: number | undefined,
  signalled: CancellationToken,
  log: { readonly writesAtExit: boolean; flush(): Promise<void> },
): Promise<boolean> {
  const start = systemClock.now();
  const streams: Flushable[] = [stdout, stderr];
  let failure: unknown;
  // A reader may close at any time from here on. Each write without a reader is an event: stdout cannot be destroyed.
  const onError = (error: unknown): void => {
    if (!isUnread(error)) failure ??= error;
  };
  for (const stream of streams) stream.on('error', onError);
  const isFlushed = (await raceDeadline(log.flush(), ms ?? AFTER_SIGNAL, undefined, systemClock)) === 'done';
  const isLogged = isFlushed || log.writesAtExit;
  if (!isLogged) warn(`runMain: the logger has not written everything within ${ms ?? AFTER_SIGNAL} ms\n`);
  const flushed = Promise.all(streams.map(flush));
  if (ms === undefined) await select.biased({ flushed, signalled });
  const left = ms === undefined ? AFTER_SIGNAL : Math.max(0, ms - (systemClock.now() - start));
  await raceDeadline(flushed, left, undefined, systemClock);
  // The event of a write that has failed follows its callback.
  await new Promise((resolve) => setImmediate(resolve));
  for (const stream of streams) stream.off('error', onError);
  const lost = streams.reduce((sum, { destroyed, writableLength }) => sum + (destroyed ? 0 : writableLength), 0);
  if (lost > 0) warn(`runMain: ${lost} bytes of output were not read within ${ms ?? AFTER_SIGNAL} ms and are lost\n`);
  if (failure !== undefined) warn(`runMain: output could not be written: ${describeError(failure)}\n`);
  return lost > 0 || failure !== undefined || !isLogged;
}

/** Waits until a stream has written everything. */
export function flush(stream: Flushable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    // Node calls the callback also when the stream has failed.
    else stream.write('', () => resolve());
  });
}

/** Writes directly to the file descriptor, because one of the streams is stuck. */
function warn(text: string): void {
  try {
    host.getBuiltinModule('node:fs').writeSync(2, text);
  } catch {}
}
