// The services of docs/examples/fastify-outbox, with a real PostgreSQL, and stopped by a real SIGTERM under load.
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgres, startPostgres, type TestServer } from '../../packages/adapters/test/servers.ts';
import {
  type Consumer,
  exampleText,
  linesOf,
  type Observed,
  type Service,
  startClients,
  startConsumer,
  startService,
  until,
} from './example-service.ts';

interface Order {
  readonly id: string;
}

describe.skipIf(postgres.isMissing)(`the services with an outbox${postgres.note}`, { timeout: 600_000 }, () => {
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
  const published = (): string[] => consumer.received.flatMap((batch) => (batch as Order[]).map(({ id }) => id)).sort();

  /** Stops a service under load, lets another one continue, and checks that each accepted order was published exactly once. */
  async function stopUnderLoad(name: string): Promise<Observed> {
    const service = await start(name);
    const clients = startOrders(100, service);
    await clients.started;
    const { code, output } = await service.stop();
    expect(code, output).toBe(0);
    const observed = await clients.ended;
    const stored = await idsIn('orders');
    expect(stored).toEqual(expect.arrayContaining([...observed.accepted]));
    expect([...published(), ...(await idsIn('outbox'))].sort()).toEqual(stored);

    const next = await start(name);
    await until(async () => (await idsIn('outbox')).length === 0);
    expect((await next.stop()).code).toBe(0);
    expect(published()).toEqual(stored);
    return observed;
  }

  it('`service` publishes each accepted order exactly once, and serves each request', async () => {
    const { accepted, refused, cutOff } = await stopUnderLoad('service');
    expect({ refused, cutOff }).toEqual({ refused: [], cutOff: [] });
    expect(await idsIn('orders')).toEqual([...accepted].sort());
  });

  it('`rival` publishes each accepted order exactly once, and cuts off requests', async () => {
    let cutOffCount = 0;
    for (let run = 0; run < 10 && cutOffCount === 0; run++) cutOffCount += (await stopUnderLoad('rival')).cutOff.length;
    expect(cutOffCount).toBeGreaterThan(0);
  });

  it.each([
    ['service', 1],
    ['rival', 0],
  ])('`%s` keeps the orders of a batch that ends at the deadline, and exits with %i', async (name, code) => {
    consumer.isAnswering = false;
    const service = await start(name);
    const clients = startOrders(1, service);
    await clients.started;
    await until(() => consumer.received.length > 0);
    const ended = await service.stop();
    expect(ended.code, ended.output).toBe(code);
    const { accepted } = await clients.ended;
    expect(await idsIn('outbox')).toEqual([...accepted].sort());
  });

  it.each([
    ['service', 'cancels', 0],
    ['rival', 'runs', 3],
  ])('`%s` %s the queries of clients that have gone', async (name, _does, storedCount) => {
    const service = await start(name);
    const locker = await pool.connect();
    await locker.query('begin; lock table orders');
    const controller = new AbortController();
    const orders = ['1', '2', '3'].map((digit) => ({ id: `00000000-0000-4000-8000-00000000000${digit}`, item: 'tea' }));
    const requests = orders.map((order) =>
      fetch(`${service.origin}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(order),
        signal: controller.signal,
      }),
    );
    const waitingCount = async (): Promise<number> => {
      const sql = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
      return (await pool.query(sql)).rows.length;
    };
    await until(async () => (await waitingCount()) === orders.length);
    controller.abort();
    await Promise.allSettled(requests);
    await until(async () => (await waitingCount()) === storedCount);
    await locker.query('commit');
    locker.release();
    expect((await service.stop()).code).toBe(0);
    expect(await idsIn('orders')).toHaveLength(storedCount);
  });
});

it('the README states the lines of both programs, and the one with Quiesce has fewer', () => {
  const [ours, other] = [linesOf('fastify-outbox/service.ts'), linesOf('fastify-outbox/rival.ts')];
  expect(exampleText('fastify-outbox/README.md')).toMatch(new RegExp(`\\| lines +\\| ${ours} +\\| ${other} +\\|`));
  expect(ours).toBeLessThan(other);
});
