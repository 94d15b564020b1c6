// A shutdown without runMain, which never ends the process: `library.ts <hook> <options as JSON>`.
import { type InstallOptions, Shutdown, type ShutdownOptions } from '@quiesce/shutdown';
import { say } from './say.ts';

const [hook = 'quick', json = '{}'] = process.argv.slice(2);
const options = JSON.parse(json) as Omit<ShutdownOptions, 'logger'> & InstallOptions & { readonly logger?: null };
// JSON cannot represent undefined, which means a missing option.
const { logger = false, signals, signalDebounce, errors, disconnect, reportSignal, ...others } = options;
const shutdown = new Shutdown({ ...others, logger: logger ?? undefined });
const installation = shutdown.install({ signals, signalDebounce, errors, disconnect, reportSignal });
const working = setInterval(() => {}, 1_000);

shutdown.hook('work', () => clearInterval(working));
shutdown.hook('under test', (token) => {
  say('hook begins');
  if (hook === 'alone') clearInterval(working);
  if (hook === 'hangs' || hook === 'alone') return new Promise(() => {});
  if (hook === 'waits') return token.cancelled();
  if (hook === 'throws') throw new Error('disk full');
  return undefined;
});
process.on('exit', (code) => say(`exit ${code}`));
shutdown.stopAccepting.onCancelled(() => say('stop requested'));
void shutdown.stopped().then(({ request }) => {
  setImmediate(() => say(`stopped by ${request?.kind}, ${process.listenerCount('SIGTERM')} listeners`));
});
if (hook === 'disposed') installation.dispose();
if (hook === 'error') setTimeout(() => JSON.parse('{'), 1);
say('ready');
