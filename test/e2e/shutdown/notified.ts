// A service that ends once somebody was told: `notified.ts <file> <options as JSON>`; or once the parent says so.
import { existsSync, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type RunMainOptions, runMain } from '@quiesce/shutdown';
import { say } from './say.ts';

const [file = '', json = '{}'] = process.argv.slice(2);
const isTold = (): boolean => existsSync(file) && readFileSync(file, 'utf8').includes('EXTEND_TIMEOUT_USEC');

await runMain(async (_, shutdown) => {
  shutdown.hook('told', async () => {
    const watcher = watch(dirname(file));
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (isTold()) resolve();
      };
      watcher.on('change', look);
      process.once('message', () => resolve());
      look();
    });
    watcher.close();
  });
  say('ready');
  await shutdown.stopAccepting.cancelled();
}, JSON.parse(json) as RunMainOptions);
