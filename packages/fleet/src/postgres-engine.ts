import { checkKind, checkOptions } from '@quiesce/internal';
import { checkPoll, checkRetention } from './checks.ts';
import type {
  ConnectOptions,
  EngineConnection,
  FleetEngine,
  FleetListener,
  FleetRecord,
  FleetSubscription,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
} from './engine.ts';
import {
  isPostgresPool,
  PostgresCalls,
  type PostgresClient,
  type PostgresPool,
  poolExpected,
  takeFrom,
} from './postgres-client.ts';
import { subscribe } from './postgres-listen.ts';
import { schemaName } from './postgres-schema.ts';
import { SCHEMA_VERSION } from './postgres-sql.ts';

/** Options for `postgresEngine`. */
export interface PostgresEngineOptions {
  /** The name of the schema that `createPostgresSchema` has created. Default: `quiesce`. */
  readonly schema?: string | undefined;
  /**
   * Opens a direct connection for notifications. Use it when the pool connects through a pooler. The engine ends the connection
   * with `release(error)`, or else with `end()`. `false`: the engine polls. Default: a connection of the pool, for as long as the
   * fleet is open.
   */
  readonly listen?: (() => Promise<PostgresClient>) | false | undefined;
  /** How often to poll where notifications do not arrive, in ms from 50 to 60,000. Default: 500. */
  readonly poll?: number | undefined;
}

/**
 * Makes an engine on PostgreSQL 13 or later. Use it where the application already has a PostgreSQL. With the SQL function
 * `quiesce.cancel`, cancels commit with the rows of a job. Leases are exclusive.
 *
 * Each step is one query, on a connection that is taken from the pool for that query. It works behind a pooler in transaction mode,
 * such as PgBouncer. Such a pooler drops notifications: the engine detects that, warns once and polls. You can pass a PGlite in
 * place of a pool. The engine polls it.
 *
 * Guaranteed: a recorded cancel is committed on the primary. A cancel is read once its transaction has committed, however late. A
 * standby is refused. Not guaranteed: commits that an asynchronous standby has not received when it takes over. Members that have
 * read a cancel record it again.
 *
 * @param pool a `Pool` of `pg`. It needs one connection for notifications, and one or more for queries. It stays yours: end it
 *   after the fleet is closed. While a fleet is joined, the pool has an `'error'` listener
 * @param options `schema`; `listen`, a function that opens a direct connection, or `false`; `poll` in ms
 * @throws TypeError for another kind of pool, an unknown option, or an option of the wrong type; RangeError when `poll`
 *   is out of range. `joinFleet` rejects with SchemaError before `createPostgresSchema` has run
 * @see `LISTEN`, `pg_current_snapshot` (PostgreSQL 13)
 * @example
 * <!-- not run: needs a PostgreSQL server -->
 * ```ts
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * await createPostgresSchema(pool);
 * await using fleet = await joinFleet({ engine: postgresEngine(pool), namespace: 'shop' });
 * ```
 */
export function postgresEngine(pool: PostgresPool, options: PostgresEngineOptions = {}): FleetEngine {
  checkKind(isPostgresPool(pool), 'postgresEngine', poolExpected, pool);
  checkOptions('postgresEngine', options, ['schema', 'listen', 'poll']);
  const { listen } = options;
  const schema = schemaName('postgresEngine', options.schema);
  const isListen = listen === undefined || listen === false || typeof listen === 'function';
  checkKind(isListen, 'postgresEngine: listen', 'a function that opens a connection, or false', listen);
  const poll = checkPoll('postgresEngine', options.poll);
  let hasWarned = false;
  const onSwallowed = (): void => {
    if (hasWarned) return;
    hasWarned = true;
    // biome-ignore lint/suspicious/noConsole: cancels still arrive, only later, so that no call has failed
    console.warn(
      `postgresEngine: notifications do not arrive, probably because of a pooler: polling every ${poll} ms. ` +
        'Pass a direct connection, { listen: async () => client }, or { listen: false }',
    );
  };
  const { connect: take } = pool;
  const fromPool = take === undefined ? undefined : () => takeFrom(pool, take);
  const connect = listen === false ? undefined : (listen ?? fromPool);
  return {
    async connect(namespace: string, retention: number, { requestTimeout = 3_000 }: Partial<ConnectOptions> = {}) {
      const calls = new PostgresCalls(pool, schema, requestTimeout);
      const about = (await calls.call('connect', namespace, retention)) as { version: number; retention: number };
      if (about.version < SCHEMA_VERSION)
        throw calls.schemaError(`is of version ${about.version}, not ${SCHEMA_VERSION}`);
      checkRetention(namespace, about.retention, retention);
      return new PostgresConnection(calls, namespace, (me, on) =>
        subscribe(calls, { namespace, me, connect, poll, onSwallowed }, on),
      );
    },
  };
}

class PostgresConnection implements EngineConnection {
  readonly #calls: PostgresCalls;
  readonly #namespace: string;
  readonly #subscribe: (me: string, on: FleetListener) => Promise<FleetSubscription>;

  constructor(calls: PostgresCalls, namespace: string, subscribe: EngineConnection['listen']) {
    this.#calls = calls;
    this.#namespace = namespace;
    this.#subscribe = subscribe;
    calls.guardPool(true);
  }

  listen(me: string, on: FleetListener): Promise<FleetSubscription> {
    return this.#subscribe(me, on);
  }

  async append(records: readonly FleetRecord[]): Promise<void> {
    await this.#call('append', JSON.stringify(records));
  }

  async read(log: string, after: unknown): Promise<LogPage> {
    return (await this.#call('read', log, after === undefined ? null : JSON.stringify(after))) as LogPage;
  }

  async meet(me?: { readonly id: string; readonly ttl: number; readonly keep: number }): Promise<MemberRecord[]> {
    return (await this.#call('meet', me?.id ?? null, me?.ttl ?? null, me?.keep ?? null)) as MemberRecord[];
  }

  async leave(id: string): Promise<void> {
    await this.#call('leave', id);
  }

  async hold({ name, holder, ttl, permits, fence }: SlotRequest): Promise<SlotAnswer> {
    return (await this.#call('hold', name, holder, ttl, permits, fence ?? null)) as SlotAnswer;
  }

  async release({ name, holder, fence }: { name: string; holder: string; fence: number }): Promise<void> {
    await this.#call('release', name, holder, fence);
  }

  async close(): Promise<void> {
    for (const end of this.#calls.subscriptions) end();
    this.#calls.guardPool(false);
  }

  #call(name: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#calls.call(name, this.#namespace, ...args);
  }
}
