import { systemClock } from '@quiesce/cancellation-token';
import { host } from './host.ts';
import { within } from './within.ts';

/** A stream of the process, as far as it is flushed. */
interface Flushable {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(text: string, done: () => void): unknown;
  once(event: 'error', listener: () => void): unknown;
  off(event: 'error', listener: () => void): unknown;
}

/** A reader that has gone is no error any more: there is nobody to tell. */
const unread = (): void => {};

/** Waits until what was written to stdout and stderr is out, but no longer than `ms`: a reader may have stopped reading. */
export async function flushOutput(ms: number): Promise<void> {
  const streams: Flushable[] = [host.stdout, host.stderr];
  // Until the end, and not only until it has been written: the event comes behind the callback.
  for (const stream of streams) stream.once('error', unread);
  await within(Promise.all(streams.map(flush)), ms, undefined, systemClock);
  for (const stream of streams) stream.off('error', unread);
}

function flush(stream: Flushable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    // Called with an error, too, when the stream has failed.
    else stream.write('', () => resolve());
  });
}
