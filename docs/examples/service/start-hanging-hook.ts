// The same service with a hook that never ends, as when it sends metrics to a server that does not answer.

import { runMain } from 'quiesce/node';
import { main, options } from './main.ts';

await runMain(async (scope, shutdown) => {
  shutdown.hook('metrics', () => new Promise(() => {}), { timeout: 500 });
  await main(scope, shutdown);
}, options);
