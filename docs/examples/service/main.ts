import type { Scope } from 'quiesce';
import { logEventToJson, type RunMainOptions, type Shutdown } from 'quiesce/node';
import { buildService, type Service } from './service.ts';
import { settingsOf } from './settings.ts';

const settings = settingsOf(process.env);

/** Options for `runMain`. */
export const options: RunMainOptions = {
  name: 'service',
  readinessDelay: settings.readinessDelay,
  drainTimeout: settings.drainTimeout,
  timeout: settings.readinessDelay + settings.drainTimeout + 15_000,
  progressInterval: 100,
  // One JSON object a line, for a collector of logs. The demo makes its screen from them.
  logger: (event) => console.error(logEventToJson(event)),
};

/**
 * Runs the service, and ends it in order: no new requests (http), no new jobs (jobs), the last event, and then the
 * connections to the database.
 */
export async function main(_: Scope, shutdown: Shutdown): Promise<void> {
  const service = buildService(settings);
  const { app, http, jobs, database } = service;
  shutdown.hook('summary', () => console.error(summaryOf(service)), { phase: 'final' });
  shutdown.hook('database', () => database.close());
  shutdown.hook('fastify', () => app.close());
  shutdown.hook('readiness', () => http.announce(), { phase: 'stopping' });
  shutdown.add(http);
  shutdown.add(jobs);
  console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: settings.port })}, process ${process.pid}`);
  await shutdown.stopAccepting.cancelled();
}

function summaryOf({ http, jobs }: Service): string {
  const { completedCount, refusedCount, arrivedAfterFinCount, disconnectedCount, destroyed } = http.report();
  const cut = destroyed.length === 0 ? '' : ` (${destroyed.join(', ')})`;
  const parts = `${completedCount} answered, ${refusedCount} refused, ${arrivedAfterFinCount} too late, ${disconnectedCount} aborted`;
  return `service: http, while stopping: ${parts}, ${destroyed.length} cut off${cut}\nservice: ${jobs.summary()}`;
}
