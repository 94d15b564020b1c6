// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { formatReport, Shutdown, type ShutdownHandle, type ShutdownReport } from '@quiesce/shutdown';

const log: string[] = [];
const shutdown = new Shutdown({ logger: false, drainTimeout: 1_000 });
shutdown.hook('db', () => log.push('db'));
const cache: ShutdownHandle = shutdown.hook('cache', async (token) => log.push(`cache ${token.isCancelled}`));
if (cache.name !== 'cache') throw new Error(`the hook is called ${cache.name}`);

void shutdown.stopped().then((report: ShutdownReport) => {
  if (log.join() !== 'cache false,db') throw new Error(`the hooks ran as ${log.join()}`);
  if (report.exitCode !== 0) throw new Error(formatReport(report));
});
if (!shutdown.request('deploy')) throw new Error('it was not the first request');
