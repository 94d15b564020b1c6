import { createServer } from 'node:http';
import { CancellablePool } from '@quiesce/adapters/pg';
import pg from 'pg';
import { HttpDrain, runMain } from 'quiesce/node';

await runMain(async (_scope, shutdown) => {
  const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
  pool.on('error', (error) => console.error('idle connection lost:', error.message));
  const db = new CancellablePool(pool);
  shutdown.hook('database', () => db.close());

  const server = createServer(async (request, response) => {
    const token = http.tokenOf(request).withTimeout(5_000);
    try {
      const sql = 'select now() as time, pg_sleep($1)';
      const { rows } = await db.query(token, sql, [request.url === '/slow' ? 60 : 0]);
      response.end(JSON.stringify(rows));
    } catch (error) {
      response.statusCode = token.isCancelled ? 503 : 500;
      response.end(String(error));
    }
  });
  const http = new HttpDrain(server);
  shutdown.add(http);

  server.listen(0, '127.0.0.1', () => console.log('listening on', server.address()));
  await shutdown.stopAccepting.cancelled();
});
