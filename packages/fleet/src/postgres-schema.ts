import { checkKind, checkOptions, show } from '@quiesce/internal';
import { isPostgresPool, type PostgresPool, poolExpected } from './postgres-client.ts';
import { schemaSql } from './postgres-sql.ts';

/** Options for the schema of a fleet. */
export interface PostgresSchemaOptions {
  /** The name of the schema: letters, digits and underscores, not first a digit. Default: `quiesce`. */
  readonly schema?: string | undefined;
}

/**
 * Returns the SQL that creates or updates the tables and functions of a fleet, as one statement. Put it into a migration, or run
 * it with {@link createPostgresSchema}. A second run changes nothing.
 *
 * The role that runs it owns the schema. Another role needs `USAGE` on the schema, and `SELECT, INSERT, UPDATE, DELETE` on its
 * tables. A role that only calls `quiesce.cancel` needs `USAGE`, `INSERT` and `SELECT` on `log`, and `SELECT` on `about`.
 *
 * @param options `schema`: the name of the schema
 * @throws TypeError for an unknown option, or for a name with other characters
 * @example
 * ```ts
 * console.log(postgresSchema().includes('CREATE SCHEMA IF NOT EXISTS "quiesce"')); // => true
 * console.log(postgresSchema({ schema: 'jobs' }).includes('"jobs".cancel(')); // => true
 * ```
 */
export function postgresSchema(options: PostgresSchemaOptions = {}): string {
  checkOptions('postgresSchema', options, ['schema']);
  return schemaSql(schemaName('postgresSchema', options.schema));
}

/**
 * Creates or updates the tables and functions of a fleet. Several processes may call it at the same time, and a second call changes
 * nothing. The role needs the right to create schemas. `joinFleet` never calls it.
 *
 * @param pool a `Pool` of `pg`, or a PGlite
 * @param options `schema`: the name of the schema
 * @throws (rejects) TypeError for another kind of pool, an unknown option, or a name with other characters; the error of the
 *   database
 * @example
 * <!-- not run: needs a PostgreSQL server -->
 * ```ts
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * await createPostgresSchema(pool);
 * await using fleet = await joinFleet({ engine: postgresEngine(pool) });
 * ```
 */
export async function createPostgresSchema(pool: PostgresPool, options: PostgresSchemaOptions = {}): Promise<void> {
  checkKind(isPostgresPool(pool), 'createPostgresSchema', poolExpected, pool);
  checkOptions('createPostgresSchema', options, ['schema']);
  await pool.query(schemaSql(schemaName('createPostgresSchema', options.schema)));
}

/** @throws TypeError */
export function schemaName(call: string, name: unknown = 'quiesce'): string {
  if (typeof name === 'string' && /^[a-z_]\w{0,62}$/i.test(name)) return name;
  throw new TypeError(
    `${call}: schema must have letters, digits and underscores only, 63 at most and no digit first, got ${show(name)}`,
  );
}
