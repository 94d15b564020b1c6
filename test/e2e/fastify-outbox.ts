// Tests of a service of docs/examples/fastify-outbox, with a real PostgreSQL, and stopped by a real SIGTERM under load.
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgres, startPostgres, type TestServer } from '../../packages/adapters/test/servers.ts';
import { type Consumer, type Service, startClients, startConsumer, startService, until } from './example-service.ts';

interface Order {
  readonly id: string;
}

export function testService(name: 'service' | 'rival'): void {
  const isRival = name === 'rival';
  describe.skipIf(postgres.isMissing)(`the ${name} with an outbox${postgres.note}`, { timeout: 600_000 }, () => {
    let server: TestServer;
    let pool: pg.Pool;
    let consumer: Consumer;
    let env: Record<string, string>;

    beforeAll(async () => {
      server = await startPostgres();
      const url = `postgres://postgres@127.0.0.1:${server.port}/postgres`;
      pool = new pg.Pool({ connectionString: url });
      // The server ends before its connections.
      pool.on('error', () => {});
      await pool.query('create table orders (id uuid primary key, item text not null)');
      await pool.query('create table outbox (id uuid primary key, item text not null)');
      env = { DATABASE_URL: url };
    }, 120_000);

    afterAll(async () => {
      await pool?.end();
      await server?.stop();
    });

    beforeEach(async () => {
      await pool.query('truncate orders, outbox');
      consumer = await startConsumer();
    });

    const start = (name: string): Promise<Service> =>
      startService(`fastify-outbox/${name}`, { ...env, CONSUMER_URL: consumer.url });
    const startOrders = (count: number, { origin }: Service) =>
      startClients(count, `${origin}/orders`, (id) => ({ id, item: 'tea' }));
    const idsIn = async (table: string): Promise<string[]> =>
      (await pool.query<Order>(`select id from ${table}`)).rows.map(({ id }) => id).sort();
    const published = (): string[] =>
      consumer.received.flatMap((batch) => (batch as Order[]).map(({ id }) => id)).sort();

    it('serves each request, and publishes each accepted order exactly once', async () => {
      const service = await start(name);
      const clients = startOrders(100, service);
      await clients.started;
      const { code, output } = await service.stop();
      expect(code, output).toBe(0);
      const { accepted, refused, cutOff } = await clients.ended;
      expect({ refused, cutOff }).toEqual({ refused: [], cutOff: [] });
      const stored = await idsIn('orders');
      expect(stored).toEqual([...accepted].sort());
      expect([...published(), ...(await idsIn('outbox'))].sort()).toEqual(stored);

      const next = await start(name);
      await until(async () => (await idsIn('outbox')).length === 0);
      expect((await next.stop()).code).toBe(0);
      expect(published()).toEqual(stored);
    });

    const codeAtDeadline = isRival ? 0 : 1;
    it(`keeps the orders of a batch that ends at the deadline, and exits with ${codeAtDeadline}`, async () => {
      consumer.isAnswering = false;
      const service = await start(name);
      const clients = startOrders(1, service);
      await clients.started;
      await until(() => consumer.received.length > 0);
      const ended = await service.stop();
      expect(ended.code, ended.output).toBe(codeAtDeadline);
      const { accepted } = await clients.ended;
      expect(await idsIn('outbox')).toEqual([...accepted].sort());
    });

    it(`${isRival ? 'runs' : 'cancels'} the queries of clients that have gone`, async () => {
      const storedCount = isRival ? 3 : 0;
      const service = await start(name);
      const unlock = await lockOrders();
      const controller = new AbortController();
      const requests = ['1', '2', '3'].map((digit) => post(service, digit, controller.signal));
      await until(async () => (await waitingCount()) === 3);
      controller.abort();
      await Promise.allSettled(requests);
      await until(async () => (await waitingCount()) === storedCount);
      await unlock();
      expect((await service.stop()).code).toBe(0);
      expect(await idsIn('orders')).toHaveLength(storedCount);
    });

    it(`${isRival ? 'cuts off' : 'answers 503 to'} a request in progress at the deadline`, async () => {
      const service = await start(name);
      const unlock = await lockOrders();
      const answer = post(service, '1').then(
        ({ status, headers }) => [status, headers.get('retry-after')],
        ({ message }) => message,
      );
      await until(async () => (await waitingCount()) === 1);
      expect((await service.stop()).code).toBe(1);
      expect(await answer).toEqual(isRival ? 'fetch failed' : [503, '1']);
      await unlock();
    });

    /** Locks the table, so that each order waits. Returns a function that unlocks it. */
    async function lockOrders(): Promise<() => Promise<void>> {
      const client = await pool.connect();
      await client.query('begin; lock table orders');
      return async () => {
        await client.query('commit');
        client.release();
      };
    }

    /** Returns how many sessions wait for a lock. */
    async function waitingCount(): Promise<number> {
      const { rows } = await pool.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
      return rows.length;
    }
  });
}

function post({ origin }: Service, digit: string, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${origin}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: `00000000-0000-4000-8000-00000000000${digit}`, item: 'tea' }),
    signal,
  });
}
