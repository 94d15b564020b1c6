import { host } from './host.ts';

/** A stream of the process, as far as it is flushed. */
interface Flushable {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(text: string, done: () => void): unknown;
  once(event: 'error', listener: () => void): unknown;
  off(event: 'error', listener: () => void): unknown;
}

/** Waits until what was written to stdout and stderr is out, but no longer than `ms`: a reader may have stopped reading. */
export async function flushOutput(ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.all([flush(host.stdout), flush(host.stderr)]), late]);
  clearTimeout(timer);
}

function flush(stream: Flushable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    const done = (): void => {
      stream.off('error', done);
      resolve();
    };
    // A reader that has gone is no error any more: there is nobody to tell.
    stream.once('error', done);
    stream.write('', done);
  });
}
