// The shop, its database, its statistics and its settings: in place of yours.
import type { OnApplicationShutdown } from '@nestjs/common';

export interface Order {
  readonly id: string;
}

/** In milliseconds. */
export const limits: { readonly readinessDelay: number; readonly drainTimeout: number } = {
  readinessDelay: Number(process.env['READINESS_DELAY'] ?? 5_000),
  drainTimeout: Number(process.env['DRAIN_TIMEOUT'] ?? 10_000),
};

const database = process.env['DATABASE_URL'] ?? 'http://127.0.0.1:5000';

async function write(path: string, body: object, signal?: AbortSignal): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null };
  const response = await fetch(database + path, init);
  if (!response.ok) throw new Error(`The database answered with ${response.status}`);
}

export class Shop implements OnApplicationShutdown {
  #soldCount = 0;

  async store(order: Order, signal: AbortSignal): Promise<void> {
    await write('/orders', order, signal);
    this.#soldCount++;
  }

  /** Nest calls this after the last request. An order that is stored later is missing in the statistics. */
  async onApplicationShutdown(): Promise<void> {
    await write('/statistics', { soldCount: this.#soldCount });
  }
}
