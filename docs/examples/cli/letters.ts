// The letters, and the server that takes them: in place of yours.
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const folder = process.argv[2] ?? '.';
/** The records of the server. */
const outbox = join(folder, 'outbox.txt');
/** The records of the program: a line for each letter that was sent. */
export const journal: string = join(folder, 'journal.txt');

export const letters: readonly string[] = Array.from({ length: 10_000 }, (_, index) => `letter ${index + 1}`);

export async function send(letter: string, signal: AbortSignal): Promise<void> {
  await delay(10, undefined, { signal });
  await appendFile(outbox, `${letter}\n`);
}
