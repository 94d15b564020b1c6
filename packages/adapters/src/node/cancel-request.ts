import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { ignore } from '@quiesce/internal';
import type { PoolClient } from 'pg';

/** The numbers of the protocol for messages that come before a session. */
const CANCEL_REQUEST = 80_877_102;
const SSL_REQUEST = 80_877_103;

/** The fields of a client that identify its session. `pg` sets them from the server's BackendKeyData; its types omit them. */
interface SessionKey {
  readonly processID: number;
  readonly secretKey: number;
}

/** Whether a client has what a cancel request needs. The native client has not. */
export function hasSessionKey(client: PoolClient): boolean {
  const { processID, secretKey } = client as PoolClient & Partial<SessionKey>;
  return typeof processID === 'number' && typeof secretKey === 'number';
}

/**
 * Cancels the query that a client's session runs, over a second connection to the same address. A session that runs none ignores
 * the request.
 *
 * Settles when the server has closed that connection. By then it has signalled the session, so the request cannot hit a query
 * that is sent later.
 *
 * Rejected: `pg_cancel_backend`. It needs a session, which a server at its limit refuses, and behind a pooler such as PgBouncer
 * the process may serve another client by then. The secret key makes a cancel request safe there.
 *
 * @param signal ends the wait
 * @throws (rejects) the error of the connection. The request may have been received, and may be handled later
 */
export async function sendCancelRequest(client: PoolClient, signal: AbortSignal): Promise<void> {
  const { once } = process.getBuiltinModule('node:events');
  const { connect } = process.getBuiltinModule('node:net');
  const { host, port, ssl } = client;
  // A name may resolve to another server by now.
  const { remoteAddress = host } = client.connection.stream as Socket;
  const isLocal = host.startsWith('/');
  const raw = connect(isLocal ? { path: `${host}/.s.PGSQL.${port}` } : { host: remoteAddress, port }).on(
    'error',
    ignore,
  );
  try {
    await once(raw, 'connect', { signal });
    const socket = ssl && !isLocal ? await secure(raw, host, ssl, signal) : raw;
    const { processID, secretKey } = client as PoolClient & SessionKey;
    socket.resume().write(message(CANCEL_REQUEST, processID, secretKey));
    await once(socket, 'close', { signal });
  } finally {
    raw.destroy();
  }
}

/** Encrypts a connection, because the secret key must not be readable. */
async function secure(
  raw: Socket,
  host: string,
  ssl: boolean | ConnectionOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const { once } = process.getBuiltinModule('node:events');
  const { isIP } = process.getBuiltinModule('node:net');
  const { connect } = process.getBuiltinModule('node:tls');
  raw.write(message(SSL_REQUEST));
  const [answer] = (await once(raw, 'data', { signal })) as [Buffer];
  if (answer.toString() !== 'S') throw new Error('The server does not support encrypted cancel requests');
  const options = typeof ssl === 'object' ? { ...ssl, key: ssl.key } : {};
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const socket = connect({ ...options, ...servername, host, socket: raw }).on('error', ignore);
  await once(socket, 'secureConnect', { signal });
  return socket;
}

/** Encodes integers of 32 bits, after their length. */
function message(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * (numbers.length + 1));
  for (const [i, number] of [bytes.length, ...numbers].entries()) bytes.writeInt32BE(number, 4 * i);
  return bytes;
}
