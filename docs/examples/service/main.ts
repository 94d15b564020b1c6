import type { Scope } from '@quiesce/scope';
import type { RunMainOptions, Shutdown } from '@quiesce/shutdown';
import { buildService, type Service } from './service.ts';
import { settingsOf } from './settings.ts';

const settings = settingsOf(process.env);

/** What `runMain` is given. */
export const options: RunMainOptions = {
  name: 'service',
  readinessDelay: settings.readinessDelay,
  drainTimeout: settings.drainTimeout,
  timeout: settings.readinessDelay + settings.drainTimeout + 15_000,
  progressInterval: 100,
};

/**
 * The service in order of its end: no new requests (http), no new jobs (jobs), the last event, and only when nobody needs
 * them any more the connections to the database.
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
  const { completed, refused, crossed, aborted, cutOff } = http.report();
  const parts = [
    `${completed} answered while stopping`,
    `${refused} told to come back`,
    `${crossed} sent behind a last answer`,
    `${aborted} given up by clients`,
    `${cutOff.length} cut off${cutOff.length === 0 ? '' : ` (${cutOff.join(', ')})`}`,
  ];
  return `service: http: ${parts.join(', ')}\nservice: ${jobs.summary()}`;
}
