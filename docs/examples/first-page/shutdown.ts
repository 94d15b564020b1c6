// Ends a process in order: on Ctrl-C, on SIGTERM, or when its work is done.
import { select, sleep } from '@quiesce/select';
import { runMain } from '@quiesce/shutdown';

await runMain(async (scope, shutdown) => {
  await scope.use('database', (name) => console.log(`${name}: closed`));
  scope.spawn(async () => {
    for (let beat = 1; ; beat++) {
      const next = await select.biased({ stopped: shutdown.stopAccepting, tick: sleep(5) });
      if (next.branch === 'stopped') return console.log('heart: stopped');
      if (beat === 3) process.kill(process.pid, 'SIGTERM'); // instead of your Ctrl-C
    }
  });
  await shutdown.stopAccepting.cancelled(); // a service waits here
  console.log('main: returns');
});
// => heart: stopped
// => main: returns
// => database: closed
