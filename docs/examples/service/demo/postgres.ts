import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { APPLICATION, TABLE } from '../database.ts';
import { startChild } from './child.ts';

/** How the service's connections to the database have ended. */
export interface Sessions {
  readonly opened: number;
  /** Sessions that ended without the protocol's terminate message. */
  readonly dropped: number;
}

/** The database, as seen from outside the service. */
export interface Postgres {
  readonly url: string;
  readonly description: string;
  /** Makes an empty table. */
  prepare(): Promise<void>;
  /** Returns the ids of all recorded jobs, with duplicates. */
  ids(): Promise<string[]>;
  /** Waits for the end of the last connection, and returns how connections have ended since `prepare`. */
  sessions(): Promise<Sessions>;
  close(): Promise<void>;
}

const fresh = [`drop table if exists ${TABLE}`, `create table ${TABLE} (id text not null, note text not null)`];

/** Opens the server at `DATABASE_URL`, or an embedded one. */
export function openPostgres(): Promise<Postgres> {
  const { DATABASE_URL } = process.env;
  return DATABASE_URL === undefined ? startEmbedded() : connectTo(DATABASE_URL);
}

async function startEmbedded(): Promise<Postgres> {
  const output: string[] = [];
  const child = startChild('embedded', { onLine: (line) => output.push(line) });
  const answer = async <T>(key: keyof T): Promise<T> => {
    return child.first((line) => (line.startsWith(`{"${String(key)}"`) ? (JSON.parse(line) as T) : undefined));
  };
  const { url } = await answer<{ url: string }>('url').catch((error: unknown) => {
    throw new Error(`the embedded database did not start:\n${output.join('\n')}`, { cause: error });
  });
  const sessions = (): Promise<Sessions> => {
    const tally = answer<Sessions>('opened');
    child.process.stdin?.write('sessions\n');
    return tally;
  };
  return {
    url,
    description: 'PGlite on disk, behind a socket',
    prepare: async () => {
      await query(url, ...fresh);
      await sessions();
    },
    ids: async () => (await query(url, `select id from ${TABLE}`)).rows.map(({ id }) => String(id)),
    sessions,
    close: async () => {
      child.process.stdin?.end();
      await child.ended;
    },
  };
}

async function connectTo(url: string): Promise<Postgres> {
  const count = `select sessions::int as opened, sessions_abandoned::int as dropped
    from pg_stat_database where datname = current_database()`;
  const alive = `select count(*)::int as alive from pg_stat_activity where application_name = '${APPLICATION}'`;
  // One connection for all statements, which is counted before the others.
  const client = new pg.Client({ connectionString: url });
  await client.connect().catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`no server answers at DATABASE_URL: ${cause.message || cause.code}`, { cause });
  });
  let before: Sessions = { opened: 0, dropped: 0 };
  const read = async (): Promise<Sessions> => (await client.query(count)).rows[0];
  return {
    url,
    description: 'the PostgreSQL of DATABASE_URL',
    prepare: async () => {
      for (const statement of fresh) await client.query(statement);
      before = await read();
    },
    ids: async () => (await client.query(`select id from ${TABLE}`)).rows.map(({ id }) => String(id)),
    sessions: async () => {
      // The server does not notify about the end of a session, so poll for it.
      while ((await client.query(alive)).rows[0].alive > 0) await delay(50);
      const { opened, dropped } = await read();
      return { opened: opened - before.opened, dropped: dropped - before.dropped };
    },
    close: async () => {
      await client.query(`drop table if exists ${TABLE}`);
      await client.end();
    },
  };
}

/** Runs statements on a connection of their own. Returns the result of the last one. */
async function query(url: string, ...statements: string[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements.slice(0, -1)) await client.query(statement);
    return await client.query(statements.at(-1) ?? '');
  } finally {
    await client.end();
  }
}
