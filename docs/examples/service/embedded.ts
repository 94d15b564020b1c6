// A PostgreSQL without an installation: PGlite on disk in a folder of its own, behind a socket. It runs in a process of its
// own, so that it outlives the service and takes no time from the service or the load. It prints its address, and answers
// each line on stdin:
//
//   ◄── {"url":"postgres://…"}
//   sessions ──► {"opened":8,"dropped":0} ◄── since the previous answer, once all sessions have ended
//
// It ends when its stdin ends, however its parent ended, and removes its folder.

import { subscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { TaskTracker } from 'quiesce';

/** The last message of a client that disconnects cleanly. */
const TERMINATE = Buffer.from('X\0\0\0\x04', 'latin1');

const sessions = new TaskTracker();
let tally = { opened: 0, dropped: 0 };

subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket };
  const guard = sessions.guard();
  const mine = tally;
  let hasSaidGoodbye = false;
  tally.opened++;
  // Without listeners: one for `data` would take the first bytes from the server, and the server removes those for `close`.
  const emit = socket.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  const seen = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'data') hasSaidGoodbye = (args[0] as Buffer).subarray(-TERMINATE.length).equals(TERMINATE);
    if (event === 'close' && !hasSaidGoodbye) mine.dropped++;
    if (event === 'close') guard.dispose();
    return emit.call(socket, event, ...args);
  };
  socket.emit = seen as typeof socket.emit;
});

// Ctrl-C, and the end of a terminal, reach all processes. This one is still needed then, and removes its folder at its end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const folder = await mkdtemp(join(tmpdir(), 'quiesce-demo-'));
try {
  const db = await PGlite.create(folder);
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 100 });
  await server.start();
  console.log(JSON.stringify({ url: `postgres://postgres@${server.getServerConn()}/postgres` }));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'sessions') continue;
    sessions.close();
    await sessions.wait();
    sessions.reopen();
    console.log(JSON.stringify(tally));
    tally = { opened: 0, dropped: 0 };
  }
  await server.stop();
  await db.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
