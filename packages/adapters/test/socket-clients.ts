// Servers on the loopback, and clients that send raw bytes.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Listens on a free port, which it returns. Closes the server and its connections after the test. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Sends the head of a request for a WebSocket, and returns the socket with the head of the answer. */
export async function upgradeRaw(
  port: number,
  path = '/',
): Promise<{ readonly socket: Socket; readonly head: string }> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const head = ['GET', path, 'HTTP/1.1'].join(' ');
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  const upgrade = ['Host: test', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', key];
  socket.write([head, ...upgrade, '', ''].join('\r\n'));
  const [answer] = await once(socket, 'data');
  socket.resume();
  return { socket, head: String(answer) };
}

/** Waits for as many iterations of the event loop as it takes. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
