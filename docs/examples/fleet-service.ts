import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { createPostgresSchema, joinFleet, postgresEngine } from '@quiesce/fleet';
import pg from 'pg';
import { type CancellationToken, select, sleep } from 'quiesce';
import { HttpDrain, runMain } from 'quiesce/node';

await runMain(async (_scope, shutdown) => {
  const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
  await createPostgresSchema(pool); // or the SQL of postgresSchema() in a migration
  const engine = postgresEngine(pool);
  const fleet = await joinFleet({ engine, namespace: 'shop', node: hostname() });
  shutdown.hook('pool', () => pool.end());
  shutdown.hook('fleet', () => fleet.close()); // before the pool: the last hook runs first

  const server = createServer(async (request, response) => {
    const { 1: id = '', 2: attempt = '' } = (request.url ?? '').split('/');
    try {
      if (request.method === 'DELETE') {
        const reason = new Error('stopped by user');
        const receipt = await fleet.cancel(['reports', id], reason, { until: 'ended' });
        response.end(JSON.stringify(receipt));
      } else {
        const render = async (token: CancellationToken): Promise<void> => {
          await select({ stopped: token, rendered: sleep(5_000) }); // in place of the work
          token.throwIfCancelled();
        };
        await fleet.run(['reports', id, attempt], render, { signal: http.tokenOf(request) });
        response.end('done');
      }
    } catch (error) {
      response.writeHead(409).end((error as Error).message);
    }
  });
  const http = new HttpDrain(server);
  shutdown.add(http);
  const port = Number(process.env['PORT'] ?? 0);
  server.listen(port, () => console.log('listening on', server.address()));
  await shutdown.stopAccepting.cancelled();
});
