// The cases of every engine on PGlite: through its own methods, and through its socket with the real driver.
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import pg from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { engineContract } from '../src/engine-contract.ts';
import { postgresEngine } from '../src/postgres-engine.ts';
import { createPostgresSchema } from '../src/postgres-schema.ts';

let db: PGlite;
let server: PGLiteSocketServer;
let pool: pg.Pool;

beforeAll(async () => {
  db = await PGlite.create();
  await createPostgresSchema(db);
  server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 20 });
  await server.start();
  const port = Number(server.getServerConn().split(':').pop());
  pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max: 10 });
}, 60_000);

afterAll(async () => {
  await pool.end();
  await server.stop();
  await db.close();
});

describe.concurrent('an engine on PGlite', () => {
  for (const { name, run } of engineContract) it(name, () => run(postgresEngine(db, { poll: 50 })));
});

describe.concurrent('an engine on the socket of PGlite', () => {
  for (const { name, run } of engineContract) it(name, () => run(postgresEngine(pool, { listen: false, poll: 50 })));
});
