// A program whose main ends or fails without a signal: `program.ts <what> <options as JSON>`.
import { type RunMainOptions, runMain } from '@quiesce/shutdown';
import { say } from './say.ts';

const [what = 'ends', json = '{}'] = process.argv.slice(2);
const counts = (): string =>
  ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'uncaughtException', 'unhandledRejection', 'disconnect']
    .map((event) => `${event} ${process.listenerCount(event)}`)
    .join(', ');
const before = counts();

await runMain(async (s, shutdown) => {
  shutdown.hook('db', () => say('db closed'));
  process.once('exit', () => say(counts() === before ? 'no listener is left' : `left: ${counts()}`));
  say('ready');
  if (what === 'fails') throw new Error('no port');
  if (what === 'a task fails') s.spawn(() => Promise.reject(new Error('no port')), { name: 'server' });
  if (what === 'throws elsewhere') setTimeout(() => JSON.parse('{'), 1);
  if (what === 'rejects elsewhere') setTimeout(() => void Promise.reject(new Error('uncaught')), 1);
  if (what === 'twice') await runMain(() => {}).catch((error) => say(String(error)));
  if (what === 'installs') {
    try {
      shutdown.install();
    } catch (error) {
      say(String(error));
    }
  }
  if (what === 'prints') process.stdout.write(`${'x'.repeat(1_000_000)}\nprinted\n`);
  // Nothing else holds the process while it waits.
  if (!['ends', 'twice', 'prints'].includes(what)) await shutdown.stopAccepting.cancelled();
  say('main ends');
}, JSON.parse(json) as RunMainOptions);
