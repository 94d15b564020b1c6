import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { createPostgresSchema, joinFleet, postgresEngine } from '@quiesce/fleet';
import pg from 'pg';
import { select, sleep } from 'quiesce';
import { HttpDrain, runMain } from 'quiesce/node';

await runMain(async (_scope, shutdown) => {
  const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
  await createPostgresSchema(pool); // or the SQL of postgresSchema() in a migration
  const engine = postgresEngine(pool);
  const fleet = await joinFleet({ engine, namespace: 'shop', node: hostname() });
  fleet.attach(shutdown);
  shutdown.hook('pool', () => pool.end(), { phase: 'final', after: ['fleet'] });

  const server = createServer(async (request, response) => {
    const { 1: id = '', 2: attempt = '' } = (request.url ?? '').split('/');
    try {
      if (request.method === 'DELETE') {
        const reason = new Error('stopped by user');
        const receipt = await fleet.cancel(['reports', id], reason, { until: 'ended' });
        response.end(JSON.stringify(receipt));
      } else {
        await fleet.run(['reports', id, attempt], async (token) => {
          await select({ stopped: token, rendered: sleep(5_000) }); // in place of the work
          token.throwIfCancelled();
        });
        response.end('done');
      }
    } catch (error) {
      response.writeHead(409).end((error as Error).message);
    }
  });
  shutdown.add(new HttpDrain(server));
  server.listen(Number(process.env['PORT'] ?? 0), () => console.log('listening on', server.address()));
  await shutdown.stopAccepting.cancelled();
});
