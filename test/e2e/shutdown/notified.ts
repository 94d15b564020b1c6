// A service that ends after a notification was sent: `notified.ts <file> <options as JSON>`; or when the parent sends a message.
import { existsSync, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type RunMainOptions, runMain } from '@quiesce/shutdown';
import { say } from './say.ts';

const [file = '', json = '{}'] = process.argv.slice(2);
const isNotified = (): boolean => existsSync(file) && readFileSync(file, 'utf8').includes('EXTEND_TIMEOUT_USEC');

await runMain(async (_, shutdown) => {
  shutdown.hook('notified', async () => {
    const watcher = watch(dirname(file));
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (isNotified()) resolve();
      };
      watcher.on('change', check);
      process.once('message', () => resolve());
      check();
    });
    watcher.close();
  });
  say('ready');
  await shutdown.stopAccepting.cancelled();
}, JSON.parse(json) as RunMainOptions);
