// The same program with close-with-grace.
import { setTimeout as delay } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import Fastify from 'fastify';
import pg from 'pg';
import pino from 'pino';
import { type Order, publish, storeOrder, takeOrders } from './orders.ts';

const logger = pino({ name: 'orders' });
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
pool.on('error', (error) => logger.warn(error, 'idle connection lost'));

async function transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isClean = false;
  try {
    await client.query('BEGIN');
    const value = await work(client);
    await client.query('COMMIT');
    isClean = true;
    return value;
  } finally {
    // Ends the session of a transaction that has failed, so that the server rolls it back.
    client.release(!isClean);
  }
}

const stopAccepting = new AbortController();
const stopNow = new AbortController();

const app = Fastify({ loggerInstance: logger, return503OnClosing: false });
app.addHook('onRequest', async (_request, reply) => {
  if (stopAccepting.signal.aborted) reply.header('connection', 'close');
});
app.get('/live', () => 'live');
app.get('/ready', (_request, reply) => {
  reply.code(stopAccepting.signal.aborted ? 503 : 200);
  return stopAccepting.signal.aborted ? 'stopping' : 'ready';
});
app.post<{ Body: Order }>('/orders', async ({ body }, reply) => {
  await transaction((client) => storeOrder(client, body));
  return reply.code(201).send({ id: body.id });
});

async function publishBatches(): Promise<void> {
  while (!stopAccepting.signal.aborted) {
    try {
      await transaction(async (client) => publish(await takeOrders(client), stopNow.signal));
    } catch (error) {
      logger.error(error, 'batch not published');
    }
    await delay(50, undefined, { signal: stopAccepting.signal }).catch(() => {});
  }
}
const publishing = publishBatches();

closeWithGrace({ delay: 12_000, logger }, async ({ signal, err }) => {
  if (err === undefined) logger.info(`shutting down: ${signal}`);
  else logger.error(err, 'shutting down');
  stopAccepting.abort();
  setTimeout(() => stopNow.abort(), 10_000);
  // For a second, each answer ends its connection: `app.close` cuts off requests that arrive while it ends idle connections.
  await delay(1_000);
  await Promise.all([app.close(), publishing]);
  await pool.end();
  logger.info('stopped');
});
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 0) });
