import { writeSync } from 'node:fs';

/** One line on stdout, written when it returns, whatever ends the process next. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}
