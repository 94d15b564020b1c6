/**
 * Queries that a token cancels on the server.
 *
 * Invariants
 *  1. After the cancellation of the token, cancel requests are repeated until the work has settled: one that arrives before its
 *     query, or between two queries, is ignored by the server.
 *  2. Requests follow each other, and each is awaited until the server has handled it. A connection returns to the pool, or gets
 *     its next query (COMMIT, ROLLBACK), only after the last request was handled. No request can hit that query.
 *  3. A connection is destroyed when a request was not handled, when its transaction is open, when the server has ended its
 *     session, or when its query has not ended within `cleanupTimeout`.
 */

import {
  CancellationToken,
  CleanupTimeoutError,
  type Clock,
  ClosedError,
  systemClock,
  type UntilCancelled,
} from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkOptions, defineHandle, ignore } from '@quiesce/internal';
import { sleep } from '@quiesce/select';
import type {
  DatabaseError,
  Pool,
  PoolClient,
  QueryArrayConfig,
  QueryArrayResult,
  QueryConfig,
  QueryResult,
  QueryResultRow,
} from 'pg';
import { hasSessionKey, sendCancelRequest } from './cancel-request.ts';
import { checkPeer } from './check-peer.ts';

/** Options for `new CancellablePool`. */
export interface CancellablePoolOptions {
  /** The name in errors. Default: `pg`. */
  readonly name?: string | undefined;
  /**
   * How many milliseconds, 0 to `Infinity`, the server has to cancel a query before its connection is destroyed.
   * Default: 5,000.
   */
  readonly cleanupTimeout?: number | undefined;
  /** The clock. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/** The first and the longest delay between two cancel requests, in ms. */
const FIRST_DELAY = 10;
const LONGEST_DELAY = 500;

/** Stands in for a cancel request of a statement that is not cancelled. */
const sendNothing = async (): Promise<void> => {};

/** The code of a query that was cancelled. */
const QUERY_CANCELED = '57014';

const FAILED_QUERY =
  'transaction: a query has failed, so the server has rolled back. Let the work reject with its error, or use a savepoint';

/**
 * A `Pool` of `pg` whose queries take a token. The cancellation of the token cancels the query on the server.
 *
 * Use it for queries of requests and jobs that can be cancelled or have a deadline. Close it with `shutdown.hook` when requests
 * or jobs use it, and with `scope.use` when only tasks of that scope do.
 *
 * **Timing.** A query starts when the pool has a free connection. A cancelled wait for a connection rejects at once. A cancelled
 * query rejects when the server has cancelled it: its connection is then free for the next query.
 *
 * **Cancel safety.** A result that arrives in spite of the cancellation counts. A statement that is cancelled has changed
 * nothing.
 *
 * @see the message CancelRequest of the frontend/backend protocol (PostgreSQL 15); `Pool` (pg 8)
 * @example
 * ```ts
 * import pg from 'pg';
 *
 * const db = new CancellablePool(new pg.Pool());
 * const token = CancellationToken.alreadyCancelled('client gone');
 * await db.query(token, 'select $1 as id', [1]).catch((reason) => console.log(reason)); // => client gone
 * await db.close();
 * ```
 */
export class CancellablePool implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(CancellablePool, {
    name: 'pool',
    owns: (value) => #leases in value,
    asyncDispose: 'close',
    facts: ({ name, inFlightCount }) => ({ name, inFlightCount }),
  });
  /** The pool that was given. Its own methods take no token. */
  readonly pool: Pool;
  /** The name in errors. */
  readonly name: string;
  readonly #cleanupTimeout: number;
  readonly #clock: Clock;
  /** Connections that a cancel request may still hit, or whose query has not ended. */
  readonly #unsafe: WeakSet<PoolClient> = new WeakSet();
  /** The work of each connection that it has taken from the pool. */
  readonly #leases: Set<Promise<unknown>> = new Set();
  /** Cancelled by the first `close`. */
  readonly #closed: CancellationToken = new CancellationToken();
  /** Set by the first `close`. */
  #closing: Promise<void> | undefined = undefined;
  /** The same as `close`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Takes a pool, without a change to it: other code can still use the pool.
   *
   * @param pool the pool, `new pg.Pool(…)`
   * @param options `cleanupTimeout` in ms; `name`; `clock`
   * @throws TypeError when `pool` is not a pool of `pg`, the installed `pg` is not version 8, or an option is unknown or
   *   of the wrong kind; RangeError when `cleanupTimeout` is negative or NaN. Before 8.21, and with `pg.native`, each
   *   query rejects with a TypeError
   */
  constructor(pool: Pool, options: CancellablePoolOptions = {}) {
    checkPeer('new CancellablePool()', 'pg', [8]);
    const isPool = typeof pool?.connect === 'function' && 'totalCount' in pool;
    checkKind(isPool, 'new CancellablePool', 'a Pool of pg', pool);
    checkOptions('new CancellablePool', options, ['name', 'cleanupTimeout', 'clock']);
    this.pool = pool;
    this.name = options.name ?? 'pg';
    this.#cleanupTimeout = options.cleanupTimeout ?? 5_000;
    this.#clock = options.clock ?? systemClock;
  }

  /** How many connections its queries, transactions and `withClient` calls use. */
  get inFlightCount(): number {
    return this.#leases.size;
  }

  /**
   * Runs one query. Cancelling the token cancels it on the server.
   *
   * @param signal a token or an `AbortSignal`
   * @param query the text, or the config of `pg`
   * @param values the values of `$1`, `$2`, …
   * @throws (rejects) the reason of the token, verbatim, when it was cancelled; the `DatabaseError` of the server for any other
   *   failure; CleanupTimeoutError when the server has not cancelled the query in time. Its connection is destroyed then, and
   *   the query may still run. ClosedError after `close`. TypeError when `signal` is neither a token nor an `AbortSignal`, or the client cannot be cancelled
   */
  query<R extends unknown[] = unknown[]>(
    signal: CancellationToken | AbortSignal,
    query: QueryArrayConfig,
    values?: readonly unknown[],
  ): Promise<QueryArrayResult<R>>;
  query<R extends QueryResultRow = QueryResultRow>(
    signal: CancellationToken | AbortSignal,
    query: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>>;
  async query(
    signal: CancellationToken | AbortSignal,
    query: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult> {
    const token = CancellationToken.from(signal, 'query');
    const isQuery = typeof query === 'string' || (typeof query?.text === 'string' && !('submit' in query));
    checkKind(isQuery, 'query', 'a text or a query config', query, '; use withClient for cursors and streams');
    const name = typeof query === 'string' ? query : query.text;
    return await this.#lease(token, (client) =>
      this.#cancellable(token, client, name, () => client.query(query, values as unknown[])),
    );
  }

  /**
   * Runs several queries in a transaction: BEGIN, the work, COMMIT. A failure or a cancellation rolls it back.
   *
   * **Timing.** COMMIT is sent only when the token is not cancelled, and is not cancelled itself. After a cancellation, the server
   * has `cleanupTimeout` to answer it.
   *
   * @param signal a token or an `AbortSignal`. Its cancellation cancels the query that runs, and those that `work` starts later
   * @param work runs the queries on the client, and awaits them
   * @returns the value of `work`
   * @throws (rejects) as `query`; the error of `work`. After a CleanupTimeoutError that names COMMIT, its outcome is not known
   */
  async transaction<T>(
    signal: CancellationToken | AbortSignal,
    work: (client: PoolClient) => T | PromiseLike<T>,
  ): Promise<T> {
    const token = CancellationToken.from(signal, 'transaction');
    checkFunction('transaction', work);
    return await this.#lease(token, async (client) => {
      const value = await this.#cancellable(token, client, 'transaction', async () => {
        try {
          await client.query('BEGIN');
          return await work(client);
        } catch (error) {
          await this.#awaitLeftQueries(client);
          throw error;
        }
      });
      const commit = () => client.query('COMMIT');
      const { command } = await this.#cancellable(token, client, 'COMMIT', commit, sendNothing);
      // The server reports no error when it rolls back instead.
      if (command === 'ROLLBACK') throw new Error(FAILED_QUERY);
      return value;
    });
  }

  /**
   * Runs work on one connection, for cursors, streams, LISTEN and query builders. A transaction that the work leaves open is
   * rolled back. A query, cursor or stream that it leaves open has `cleanupTimeout` to end before its connection is destroyed.
   *
   * @param signal a token or an `AbortSignal`. Its cancellation cancels the query that runs, and those that `work` starts later
   * @param work uses the client, and awaits its queries
   * @returns the value of `work`
   * @throws (rejects) as `query`; the error of `work`
   */
  async withClient<T>(
    signal: CancellationToken | AbortSignal,
    work: (client: PoolClient) => T | PromiseLike<T>,
  ): Promise<T> {
    const token = CancellationToken.from(signal, 'withClient');
    checkFunction('withClient', work);
    return await this.#lease(token, (client) =>
      this.#cancellable(token, client, 'withClient', async () => {
        try {
          return await work(client);
        } finally {
          await this.#awaitLeftQueries(client);
        }
      }),
    );
  }

  /**
   * Ends the pool: waits until all connections are free, and closes them.
   *
   * **Timing.** Idempotent. Calls that wait for a connection, and later calls, reject with a ClosedError. It cancels nothing else:
   * cancel the tokens of the queries for that.
   *
   * @throws (rejects) the error of `pool.end`
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // `pg` never answers a call that waits while its pool is ended.
    this.#closed.cancel(new ClosedError(`${this.name}: the pool is closed`));
    if (this.pool.ending) await Promise.allSettled(this.#leases);
    else await this.pool.end();
  }

  /** Takes a connection, and runs the work on it. */
  async #lease<T>(token: CancellationToken, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect(token);
    const lease = this.#use(client, work);
    this.#leases.add(lease);
    try {
      return await lease;
    } finally {
      this.#leases.delete(lease);
    }
  }

  /** Runs work on a connection, and releases or destroys it (invariant 3). */
  async #use<T>(client: PoolClient, work: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      return await work(client);
    } catch (error) {
      await this.#recover(client);
      throw error;
    } finally {
      giveBack(client, client.getTransactionStatus() === 'I' && !this.#unsafe.has(client));
    }
  }

  /**
   * Waits for the queries that work has not awaited, at most `cleanupTimeout`. The token of the work cancels them until then. In
   * the next lease, another token would. Never rejects.
   */
  async #awaitLeftQueries(client: PoolClient): Promise<void> {
    const limit = CancellationToken.timeout(this.#cleanupTimeout, { clock: this.#clock });
    const outcome = await limit.runUntilCancelled(client.query('').catch(ignore));
    if (outcome.status === 'cancelled') this.#unsafe.add(client);
    limit.dispose();
  }

  /** Ends the transaction that failed work has left, if any. */
  async #recover(client: PoolClient): Promise<void> {
    // The failure comes before the new status of the session, which the answer to the next query includes.
    if (client.getTransactionStatus() === 'I') await this.#runBriefly(client, '');
    if (client.getTransactionStatus() !== 'I') await this.#runBriefly(client, 'ROLLBACK');
  }

  /** Runs a statement for at most `cleanupTimeout`. Never rejects. */
  async #runBriefly(client: PoolClient, statement: string): Promise<void> {
    if (this.#unsafe.has(client)) return;
    const limit = CancellationToken.timeout(this.#cleanupTimeout, { clock: this.#clock });
    const outcome = await limit.runUntilCancelled(client.query(statement)).catch(() => undefined);
    if (outcome?.status !== 'fulfilled') this.#unsafe.add(client);
    limit.dispose();
  }

  /**
   * Takes a connection with a listener: a connection that is lost emits an error besides the failure of its query. A new one can be
   * ready and lost with one packet, which a promise would deliver too late. Hence the callback, where the pool takes one.
   */
  async #take(): Promise<PoolClient> {
    if (this.pool.connect.length === 0) {
      const client = await this.pool.connect();
      return client.on('error', ignore);
    }
    return await new Promise((resolve, reject) => {
      this.pool.connect((error, client) => {
        client?.on('error', ignore);
        if (client === undefined) reject(error);
        else resolve(client);
      });
    });
  }

  async #connect(token: CancellationToken): Promise<PoolClient> {
    const end = CancellationToken.any([token, this.#closed]);
    end.throwIfCancelled();
    const connecting = this.#take();
    const outcome = await end.runUntilCancelled(connecting);
    end.dispose();
    if (outcome.status === 'cancelled') {
      connecting.then(giveBack, ignore);
      throw outcome.reason;
    }
    const client = outcome.value;
    if (hasSessionKey(client) && typeof client.getTransactionStatus === 'function') return client;
    giveBack(client);
    throw new TypeError(
      'CancellablePool: the connection cannot be cancelled. It needs pg ^8.21, not pg.native, and a server that sends a key',
    );
  }

  /** Runs work whose queries the token cancels. Settles when no cancel request can hit a later query (invariant 2). */
  async #cancellable<T>(
    token: CancellationToken,
    client: PoolClient,
    name: string,
    work: () => T | PromiseLike<T>,
    request: typeof sendCancelRequest = sendCancelRequest,
  ): Promise<T> {
    token.throwIfCancelled();
    const settled = new CancellationToken();
    const givenUp = new CancellationToken();
    let requests: Promise<void> | undefined;
    const registration = token.onCancelled(() => {
      requests = this.#cancelOnServer(client, settled, givenUp, request);
    });
    const started = this.#clock.now();
    try {
      const outcome: UntilCancelled<Awaited<T>> = await givenUp.runUntilCancelled((async () => await work())());
      if (outcome.status === 'fulfilled') return outcome.value;
      const unfinished = [{ name, ageMs: this.#clock.now() - started }];
      throw new CleanupTimeoutError(this.#cleanupTimeout, unfinished, { owner: this.name, errors: [outcome.reason] });
    } catch (error) {
      const refusal = refusalIn(error);
      // The server closes the connection after any other severity. A translated one is destroyed for nothing.
      if (refusal !== undefined && refusal.severity !== 'ERROR') this.#unsafe.add(client);
      if (token.isCancelled && refusal?.code === QUERY_CANCELED) throw token.reason;
      throw error;
    } finally {
      registration.dispose();
      settled.cancel();
      await requests;
    }
  }

  /** Sends cancel requests until the work has settled (invariant 1), or until `cleanupTimeout`. Never rejects. */
  async #cancelOnServer(
    client: PoolClient,
    settled: CancellationToken,
    givenUp: CancellationToken,
    request: typeof sendCancelRequest,
  ): Promise<void> {
    const limit = CancellationToken.timeout(this.#cleanupTimeout, { clock: this.#clock });
    limit.onCancelled((reason) => {
      this.#unsafe.add(client);
      givenUp.cancel(reason);
    });
    const end = CancellationToken.any([settled, limit]);
    for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, LONGEST_DELAY)) {
      // One that fails may have been received.
      await request(client, limit.signal).catch(() => this.#unsafe.add(client));
      if (!end.isCancelled) await end.runUntilCancelled(sleep(delay, { clock: this.#clock }));
      if (end.isCancelled) break;
    }
    limit.dispose();
  }
}

/** Gives a connection back to its pool. One that is not clean is destroyed, and keeps its listener for errors of its end. */
function giveBack(client: PoolClient, isClean = true): void {
  if (isClean) client.off('error', ignore);
  client.release(!isClean);
}

/** Returns the error of the server that an error is, or wraps, as those of query builders do. */
function refusalIn(error: unknown): Partial<DatabaseError> | undefined {
  const { cause } = Object(error) as { readonly cause?: unknown };
  return [error, cause]
    .map((one) => Object(one) as Partial<DatabaseError>)
    .find(({ severity, code }) => severity !== undefined && code !== undefined);
}
