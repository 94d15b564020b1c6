import type { Duplex } from 'node:stream';
import { ignore } from '@quiesce/internal';

/** Answers a request for another protocol with 503, and closes its socket. */
export function refuseUpgrade(socket: Duplex): void {
  // Node has removed its own listener. An error would otherwise end the process.
  socket.on('error', ignore);
  socket.once('finish', () => socket.destroy());
  const head = ['HTTP/1.1 503 Service Unavailable', 'Retry-After: 1', 'Content-Length: 0', 'Connection: close'];
  socket.end(`${head.join('\r\n')}\r\n\r\n`);
}
