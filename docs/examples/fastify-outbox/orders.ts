// The orders, and the consumer to which they are published: in place of yours.
import type { PoolClient } from 'pg';

export interface Order {
  readonly id: string;
  readonly item: string;
}

/** Stores an order, and the same order in the outbox. Runs in a transaction, so that there is never one without the other. */
export async function storeOrder(client: PoolClient, { id, item }: Order): Promise<void> {
  await client.query('insert into orders (id, item) values ($1, $2)', [id, item]);
  await client.query('insert into outbox (id, item) values ($1, $2)', [id, item]);
}

/** Takes orders out of the outbox. Another process skips them until the transaction has ended. */
export async function takeOrders(client: PoolClient): Promise<readonly Order[]> {
  const batch = 'select id from outbox limit 100 for update skip locked';
  const { rows } = await client.query<Order>(`delete from outbox where id in (${batch}) returning id, item`);
  return rows;
}

/** Publishes orders in one message. */
export async function publish(orders: readonly Order[], signal: AbortSignal): Promise<void> {
  if (orders.length === 0) return;
  const url = process.env['CONSUMER_URL'] as string;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(orders), signal });
  if (!response.ok) throw new Error(`The consumer answered with ${response.status}`);
}
