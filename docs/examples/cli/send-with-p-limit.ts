// The same program by hand, with p-limit.
import { open, readFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import pLimit from 'p-limit';
import { journal, letters, send } from './letters.ts';

const sent = new Set((await readFile(journal, { encoding: 'utf8', flag: 'a+' })).split('\n'));
const remaining = letters.filter((letter) => !sent.has(letter));
let leftCount = remaining.length;
console.log(`sending ${leftCount} letters`);

let code: number | undefined;
const cut = new AbortController();
const interrupt = (interruptedCode: number) => {
  if (code === undefined) {
    code = interruptedCode;
    setTimeout(() => cut.abort(), 10_000).unref();
  } else if (cut.signal.aborted) process.exit(code);
  else cut.abort();
};
process.on('SIGINT', () => interrupt(130));
process.on('SIGTERM', () => interrupt(143));

const file = await open(journal, 'a');
const bar = new SingleBar({ gracefulExit: false });
bar.start(letters.length, letters.length - leftCount);

const failures: unknown[] = [];
const sendOne = async (letter: string) => {
  if (code !== undefined) return;
  try {
    await send(letter, AbortSignal.any([cut.signal, AbortSignal.timeout(5_000)]));
    await file.appendFile(`${letter}\n`);
    leftCount--;
    bar.update(letters.length - leftCount);
  } catch (error) {
    if (!cut.signal.aborted) failures.push(error);
    code ??= 1;
    cut.abort();
  }
};
const limit = pLimit(100);
await Promise.all(remaining.map((letter) => limit(sendOne, letter)));

bar.stop();
await file.close();
console.log(`${leftCount} letters are left`);
for (const failure of failures) console.error(failure);
process.exitCode = code ?? 0;
