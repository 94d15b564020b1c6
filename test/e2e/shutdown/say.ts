import { writeSync } from 'node:fs';

/** Writes one line to stdout. The line is written on return, however the process ends next. */
export function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // The pipe is full; its reader empties it.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
