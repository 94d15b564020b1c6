/**
 * Calls the SQL functions of a fleet, through the user's pool.
 *
 * Invariants
 *  1. Each call takes its own connection from the pool, and gives it back. A call over its limit gives it back with an error, so
 *     that the pool ends the connection. The pool continues.
 *  2. A connection that opens after the limit is given back at once.
 *  3. Each connection has an `'error'` listener until it is given back, and keeps it when it is ended. Without a listener, the end
 *     of a connection would end the process.
 */

import { systemClock } from '@quiesce/cancellation-token';
import { checkKind, ignore } from '@quiesce/internal';
import { EngineUnavailableError, SchemaError } from './errors.ts';
import { withLimit } from './limit.ts';

/** The part of `pg` that sends queries. */
export interface PostgresQueryable {
  /** As `query` of `pg`. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** One connection: a client of `pg`. */
export interface PostgresClient extends PostgresQueryable {
  /** As `on` of an `EventEmitter`. */
  on?(event: string, listener: (arg: unknown) => void): unknown;
  /** As `off` of an `EventEmitter`. */
  off?(event: string, listener: (arg: unknown) => void): unknown;
  /** Gives the connection back to its pool. With an error, the pool ends it. */
  release?(error?: Error | boolean): void;
  /** As `end` of `pg`. */
  end?(): Promise<void>;
}

/** A `Pool` of `pg`, or an object with the same methods. A PGlite has no `connect`. */
export interface PostgresPool extends PostgresQueryable {
  /** As `Pool.connect` of `pg`. */
  connect?(): Promise<PostgresClient>;
  /** As `on` of an `EventEmitter`. */
  on?(event: string, listener: (arg: unknown) => void): unknown;
  /** As `off` of an `EventEmitter`. */
  off?(event: string, listener: (arg: unknown) => void): unknown;
}

export const poolExpected = 'a Pool of pg';

/** Whether a value is a pool. A `Client` of `pg` is not: a call over its limit would end its only connection. */
export function isPostgresPool(value: unknown): boolean {
  const { query, connect } = Object(value) as Partial<Record<keyof PostgresPool, unknown>>;
  if (typeof query !== 'function' || 'processID' in Object(value)) return false;
  return connect === undefined || typeof connect === 'function';
}

/** The calls of one fleet. */
export class PostgresCalls {
  readonly #pool: PostgresPool;
  readonly #schema: string;
  /** The limit of one call, in ms. */
  readonly limit: number;
  /** Functions that end the open subscriptions. */
  readonly subscriptions: Set<() => void> = new Set();

  constructor(pool: PostgresPool, schema: string, limit: number) {
    this.#pool = pool;
    this.#schema = schema;
    this.limit = limit;
  }

  /**
   * Calls a function of the schema, in one round trip.
   *
   * @returns its answer, which is JSON
   * @throws (rejects) SchemaError when the function is missing; the error of the database; EngineUnavailableError after the limit
   */
  async call(name: string, ...args: readonly unknown[]): Promise<unknown> {
    const { connect } = this.#pool;
    if (connect === undefined) return await this.callOn(this.#pool, name, args);
    const start = systemClock.now();
    const client = await this.open(() => takeFrom(this.#pool, connect));
    let failure: unknown;
    try {
      return await this.callOn(client, name, args, this.limit - (systemClock.now() - start));
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // An error of the server leaves its connection usable.
      giveBack(client, failure instanceof EngineUnavailableError ? failure : undefined);
    }
  }

  /** As `call`, on a connection that the caller has. */
  async callOn(
    on: PostgresQueryable,
    name: string,
    args: readonly unknown[],
    limit: number = this.limit,
  ): Promise<unknown> {
    const text = `SELECT "${this.#schema}".${name}(${args.map((_, i) => `$${i + 1}`).join(', ')}) AS answer`;
    try {
      const { rows } = await withLimit(systemClock, Math.max(0, limit), name, () => on.query(text, [...args]));
      const { answer } = rows[0] as { readonly answer: string | null };
      return answer === null ? undefined : JSON.parse(answer);
    } catch (error) {
      const isMissing = MISSING.includes((error as { readonly code?: unknown } | undefined)?.code);
      throw isMissing ? this.schemaError('is missing', error) : error;
    }
  }

  /** Opens a connection, with an `'error'` listener. */
  async open(connect: () => Promise<PostgresClient>): Promise<PostgresClient> {
    let isLate = false;
    const opening = connect();
    // Attached before the limit, so that each connection has its listener before its first event.
    const opened = opening.then((client) => {
      checkKind(typeof client?.query === 'function', 'postgresEngine', poolExpected, client);
      // Removed first, because a connection of the pool already has it.
      client.off?.('error', ignore);
      client.on?.('error', ignore);
      if (isLate) giveBack(client);
      return client;
    });
    return await withLimit(systemClock, this.limit, 'connect', () => opened).catch((error: unknown) => {
      isLate = true;
      throw error;
    });
  }

  /**
   * Adds or removes an `'error'` listener of the pool, one for each fleet. The pool reports the end of idle connections there.
   * Without a listener, a restart of the server would end the process.
   */
  guardPool(isGuarded: boolean): void {
    if (isGuarded) this.#pool.on?.('error', ignore);
    else this.#pool.off?.('error', ignore);
  }

  schemaError(what: string, cause?: unknown): SchemaError {
    const options = this.#schema === 'quiesce' ? '' : `, { schema: '${this.#schema}' }`;
    return new SchemaError(
      `postgresEngine: the schema "${this.#schema}" ${what}: ` +
        `call createPostgresSchema(pool${options}) once, or run the SQL of postgresSchema in a migration`,
      { cause },
    );
  }
}

/**
 * Takes a connection from a pool. One packet can make a new connection ready and then fail it. A promise would fulfil after that,
 * and the error would have no listener. A `Pool` of `pg` therefore gets a callback.
 */
export function takeFrom(pool: PostgresPool, connect: NonNullable<PostgresPool['connect']>): Promise<PostgresClient> {
  if (connect.length === 0) return connect.call(pool);
  return new Promise((resolve, reject) => {
    const onClient = (error: unknown, client: PostgresClient | undefined): void => {
      client?.on?.('error', ignore);
      if (client === undefined) reject(error);
      else resolve(client);
    };
    (connect as (callback: typeof onClient) => void).call(pool, onClient);
  });
}

/** Gives a connection back. With an error, the pool ends it. */
export function giveBack(client: PostgresClient, error?: Error): void {
  // A connection that ends may still emit errors, so its listener stays.
  if (error === undefined) client.off?.('error', ignore);
  if (client.release !== undefined) client.release(error);
  else Promise.resolve(client.end?.()).catch(ignore);
}

/** `undefined_schema`, `undefined_function`, `undefined_table`. */
const MISSING: readonly unknown[] = ['3F000', '42883', '42P01'];
