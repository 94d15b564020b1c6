import { writeSync } from 'node:fs';
import type { Server } from 'node:http';

/**
 * Writes the port of each accepted connection to the file descriptor `TRACE_FD`. From outside, a connection that this
 * process has accepted cannot be distinguished from one that only the system has accepted.
 *
 * Writes synchronously instead of to a stream, so that the trace is complete when the process is killed.
 */
export function traceAccepted(server: Server): void {
  const { TRACE_FD } = process.env;
  if (TRACE_FD === undefined) return;
  server.on('connection', ({ remotePort }) => writeSync(Number(TRACE_FD), `${remotePort}\n`));
}
