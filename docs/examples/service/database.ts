import pg from 'pg';
import { ResourcePool } from 'quiesce';
import type { Settings } from './settings.ts';

/** The table has no unique key, so a job that is done twice is in it twice, and the demo detects that. */
export const TABLE = 'quiesce_demo_jobs';
export const APPLICATION = 'quiesce-demo';

/** The connections to PostgreSQL, through the real driver. */
export class Database {
  readonly #pool: ResourcePool<pg.Client>;

  constructor(settings: Settings) {
    const broken = new WeakSet<pg.Client>();
    this.#pool = new ResourcePool<pg.Client>({
      name: 'database',
      max: settings.databaseConnections,
      create: async () => {
        const client = new pg.Client({ connectionString: settings.databaseUrl, application_name: APPLICATION });
        client.on('error', () => broken.add(client));
        await client.connect();
        return client;
      },
      isUsable: (client) => !broken.has(client),
      close: (client) => client.end(),
    });
  }

  /** Records that a job was done. It is one statement, so it happens completely or not at all. */
  async record(id: string, note: string, signal: AbortSignal): Promise<void> {
    const insert = `insert into ${TABLE} (id, note) values ($1, $2)`;
    await this.#pool.use((client) => client.query(insert, [id, note]), { signal });
  }

  /**
   * Closes each connection when it is released.
   *
   * @throws (rejects) Error when a connection did not close cleanly
   */
  async close(): Promise<void> {
    const { closedCount: closed, failed, cutOffCount: cutOff } = await this.#pool.shutdown({ timeout: 2_000 });
    if (failed.length + cutOff === 0) return;
    throw new Error(`${closed} connections closed, ${failed.length} failed, ${cutOff} were still in use`);
  }
}
