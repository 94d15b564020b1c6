import { writeSync } from 'node:fs';

/** One line on stdout, written when it returns, whatever ends the process next. */
export function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // The pipe is full; whoever reads it empties it.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
