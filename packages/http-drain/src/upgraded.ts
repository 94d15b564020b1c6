import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Machine } from './machine.ts';

/** A connection of HTTP/1 is to speak another protocol. Says whether that was refused here. */
export function openUpgraded(machine: Machine, request: IncomingMessage, socket: Socket): boolean {
  const connection = machine.connections.get(socket);
  // Not one of ours: accepted before we were there.
  if (connection === undefined) return false;
  const exchange = connection.upgrade(request);
  socket.once('close', () => {
    machine.upgraded.delete(socket);
    exchange.end(machine.isDestroying ? 'aborted' : 'completed');
  });
  if (!machine.isRefusing) {
    machine.upgraded.set(socket, request);
    return false;
  }
  exchange.refuse();
  refuse(machine, socket);
  return true;
}

/** Node has no response object for what it takes for another protocol. */
function refuse({ settings }: Machine, socket: Socket): void {
  const head = ['HTTP/1.1 503 Service Unavailable', `Retry-After: ${settings.retryAfter}`, 'Content-Length: 0'];
  // Node listens to the errors of an upgraded socket no more, and one without a listener would end the process.
  socket.on('error', () => {});
  socket.end(`${head.join('\r\n')}\r\nConnection: close\r\n\r\n`);
  socket.resume();
  const timer = settings.clock.setTimer(settings.idleGrace, () => socket.destroy(), { ref: true });
  socket.once('close', () => settings.clock.clearTimer(timer));
}
