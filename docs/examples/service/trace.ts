import { writeSync } from 'node:fs';
import type { Server } from 'node:http';

/**
 * Says of each connection that was accepted from which port it came, where somebody wants to know (`TRACE_FD`): nobody
 * outside can tell a connection that this process has accepted from one that only the system has.
 *
 * At once and not by a stream: also what was accepted right before the process is killed has been said.
 */
export function traceAccepted(server: Server): void {
  const { TRACE_FD } = process.env;
  if (TRACE_FD === undefined) return;
  server.on('connection', ({ remotePort }) => writeSync(Number(TRACE_FD), `${remotePort}\n`));
}
