// A shutdown without runMain whose log has no reader: `unread.ts error | quick`.
import { Shutdown, Terminal } from '@quiesce/shutdown';
import { say } from './say.ts';

const hook = process.argv[2];
const shutdown = new Shutdown(hook === 'error' ? {} : { logger: new Terminal(process.stderr) });
shutdown.install();
const working = setInterval(() => {}, 1_000);
shutdown.hook('work', async () => {
  clearInterval(working);
  if (hook === 'error') queueMicrotask(() => JSON.parse('{'));
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
});
shutdown.stopAccepting.onCancelled(() => say('stop requested'));
void shutdown.stopped().then(({ exitCode }) => say(`stopped with ${exitCode}`));
say('ready');
