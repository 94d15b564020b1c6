import type { Pool, QueryResult } from 'pg';
import type { CancellationToken } from 'quiesce';

/** Runs a query until the token is cancelled, and then has the server cancel it. */
export async function query(
  pool: Pool,
  sql: string, // without parameters
  token: CancellationToken,
): Promise<QueryResult> {
  const client = await pool.connect();
  let cancelling: Promise<unknown> | undefined;
  try {
    const { rows } = await client.query('select pg_backend_pid() as pid');
    token.throwIfCancelled();
    // The driver takes no signal, so a second connection cancels the query.
    using _ = token.onCancelled(() => {
      cancelling = pool.query('select pg_cancel_backend($1)', [rows[0].pid]).catch(() => {});
    });
    return await client.query(sql);
  } catch (error) {
    token.throwIfCancelled(); // instead of "canceling statement due to user request"
    throw error;
  } finally {
    await cancelling; // otherwise it could cancel the next query of this connection
    client.release();
  }
}
