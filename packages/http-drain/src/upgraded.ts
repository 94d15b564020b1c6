import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { connectionOf } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { Machine } from './machine.ts';

/** A connection of HTTP/1 is to speak another protocol. Says whether that was dealt with here. */
export function openUpgraded(machine: Machine, request: IncomingMessage, socket: Socket): boolean {
  const connection = connectionOf(machine, socket);
  if (connection.crosses()) {
    readOn(socket);
    return true;
  }
  const exchange = new Exchange(machine, [request, request.rawHeaders], socket, request.method, request.url);
  socket.once('close', () => {
    machine.upgraded.delete(socket);
    exchange.end(machine.isDestroying ? 'aborted' : 'completed');
  });
  if (!machine.isRefusing) {
    connection.upgrade();
    machine.upgraded.set(socket, request);
    return false;
  }
  exchange.refuse();
  readOn(socket);
  connection.refuseUpgrade(refusal(machine));
  return true;
}

/** Node has let go of a socket that it takes for upgraded: it neither reads it nor listens to its errors any more. */
function readOn(socket: Socket): void {
  // Without a listener an error would end the process.
  socket.on('error', () => {});
  socket.resume();
}

/** There is no response object either. */
function refusal({ settings }: Machine): string {
  const head = ['HTTP/1.1 503 Service Unavailable', `Retry-After: ${settings.retryAfter}`, 'Content-Length: 0'];
  return `${head.join('\r\n')}\r\nConnection: close\r\n\r\n`;
}
