// A shutdown whose last hook never ends, and that prints when it is forced: for a third signal.
import { subscribe } from 'node:diagnostics_channel';
import { Shutdown, shutdownChannel } from '@quiesce/shutdown';
import { say } from './say.ts';

const shutdown = new Shutdown({ logger: false, finalTimeout: 600_000 });
shutdown.install({ signalDebounce: 0 });
subscribe(shutdownChannel, (message) => {
  if ((message as { type: string }).type === 'forced') say('forced');
});
shutdown.hook(
  'under test',
  () => {
    say('final begins');
    return new Promise(() => {});
  },
  { phase: 'final' },
);
setInterval(() => {}, 1_000);
say('ready');
