// Takes orders, and publishes each of them. On SIGTERM, requests and the batch in progress are finished.
import { fastifyDrain } from '@quiesce/adapters/fastify';
import { CancellablePool } from '@quiesce/adapters/pg';
import Fastify from 'fastify';
import pg from 'pg';
import pino from 'pino';
import { interval, selectEach } from 'quiesce';
import { runMain } from 'quiesce/node';
import { type Order, publish, storeOrder, takeOrders } from './orders.ts';

const logger = pino({ name: 'orders' });

await runMain(
  async (scope, shutdown) => {
    const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
    pool.on('error', (error) => logger.warn(error, 'idle connection lost'));
    const db = new CancellablePool(pool);
    shutdown.hook('database', () => db.close());

    const app = Fastify({ loggerInstance: logger });
    // biome-ignore lint/nursery/noMisusedPromises: Fastify also takes asynchronous plugins.
    app.register(fastifyDrain, { shutdown });
    app.post<{ Body: Order }>('/orders', async ({ body, token }, reply) => {
      await db.transaction(token, (client) => storeOrder(client, body));
      return reply.code(201).send({ id: body.id });
    });

    scope.spawn(async (token) => {
      const batches = selectEach({ stopped: shutdown.stopAccepting, tick: interval(50) });
      for await (const { branch } of batches) {
        if (branch === 'stopped') return;
        await db
          .transaction(token, async (client) => publish(await takeOrders(client), token.signal))
          .catch((error) => logger.error(error, 'batch not published'));
      }
    });

    await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 0) });
    await shutdown.stopAccepting.cancelled();
  },
  { name: 'orders', logger },
);
