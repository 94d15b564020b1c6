// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { createServer } from 'node:http';
import { fetchWith } from '@quiesce/adapters/fetch';
import { CancellablePool } from '@quiesce/adapters/pg';
import { drainableSocketIo } from '@quiesce/adapters/socket.io';
import { requestWith } from '@quiesce/adapters/undici';
import { drainableWebSockets } from '@quiesce/adapters/ws';
import { CancellationToken } from '@quiesce/cancellation-token';
import { Shutdown } from '@quiesce/shutdown';
import pg from 'pg';
import { Server } from 'socket.io';
import { Agent } from 'undici';
import { WebSocketServer } from 'ws';

async function main(): Promise<void> {
  const shutdown = new Shutdown();
  const io = new Server(createServer());
  shutdown.add(drainableSocketIo(io));
  shutdown.add(drainableWebSockets(new WebSocketServer({ noServer: true }), { code: 1012 }));

  const gone = CancellationToken.alreadyCancelled('gone');
  const db = new CancellablePool(new pg.Pool());
  const agent = new Agent();
  const reasons = await Promise.all(
    [
      db.query<{ id: number }>(gone, 'select $1::int as id', [1]).then(({ rows }) => String(rows[0]?.id)),
      db.transaction(gone, async (client) => String((await client.query('select 1')).rowCount)),
      fetchWith(gone, { deadline: true })('http://localhost').then((response) => response.text()),
      requestWith(gone, agent)('http://localhost').then(({ body }) => body.text()),
    ].map((work) => work.catch((reason: unknown) => reason)),
  );
  shutdown.request('deploy');
  const { exitCode } = await shutdown.stopped();
  await Promise.all([db.close(), agent.close(), io.close()]);
  if (reasons.join() !== 'gone,gone,gone,gone' || exitCode !== 0)
    throw new Error(`the reasons were ${reasons}, the exit code ${exitCode}`);
}

void main();
