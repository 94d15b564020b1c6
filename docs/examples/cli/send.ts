// Sends 10,000 letters, 100 at a time. After Ctrl-C, the letters on their way arrive, and the next run sends the others.
import { open, readFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { runMain } from 'quiesce/node';
import { journal, letters, send } from './letters.ts';

await runMain(
  async (scope, { stopAccepting }) => {
    const sent = new Set((await readFile(journal, { encoding: 'utf8', flag: 'a+' })).split('\n'));
    const remaining = letters.filter((letter) => !sent.has(letter));
    let leftCount = remaining.length;
    console.log(`sending ${leftCount} letters`);
    scope.defer(() => console.log(`${leftCount} letters are left`));

    const file = await scope.use(open(journal, 'a'), (file) => file.close());
    const bar = new SingleBar({ gracefulExit: false });
    bar.start(letters.length, letters.length - leftCount);
    scope.defer(() => bar.stop());

    const sendOne = async (letter: string, { signal }: { signal: AbortSignal }) => {
      await send(letter, signal);
      await file.appendFile(`${letter}\n`);
    };
    const onProgress = ({ completedCount }: { completedCount: number }) => {
      leftCount = remaining.length - completedCount;
      bar.update(letters.length - leftCount);
    };
    await scope.map(remaining, sendOne, { concurrency: 100, timeout: 5_000, stopSignal: stopAccepting, onProgress });
  },
  { name: 'send', logger: { ...console, info: () => {} } }, // the bar shows the progress
);
