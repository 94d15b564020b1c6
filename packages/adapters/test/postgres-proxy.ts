// Stands between a client and PostgreSQL, and can delay what a test wants to be late.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

const CANCEL_REQUEST = 80_877_102;

export interface PostgresProxy {
  readonly port: number;
  /** Sessions that are open, in the order of their start. */
  readonly sessions: readonly Socket[];
  /** How many cancel requests have arrived. */
  readonly cancelCount: number;
  /** How many first messages have arrived that are no cancel request. */
  readonly otherCount: number;
  /** Called for each cancel request. It calls `forward`, or destroys the socket. Default: forwards. */
  onCancel: (forward: () => void, socket: Socket) => void;
}

/** @param path listens on this path in place of a port */
export async function startProxy(target: number, path?: string): Promise<PostgresProxy> {
  const sessions: Socket[] = [];
  const proxy = { port: 0, sessions, cancelCount: 0, otherCount: 0, onCancel: (forward: () => void) => forward() };
  const all = new Set<Socket>();
  const server = createServer((socket) => {
    all.add(socket);
    socket.on('error', () => {});
    socket.once('data', (first) => {
      socket.pause();
      const forward = (): void => {
        const upstream = connect(target, '127.0.0.1');
        all.add(upstream);
        upstream.on('error', () => {});
        upstream.write(first);
        socket.pipe(upstream).pipe(socket);
        socket.once('close', () => upstream.destroy());
        upstream.once('close', () => socket.destroy());
      };
      if (first.readInt32BE(4) === CANCEL_REQUEST) {
        proxy.cancelCount++;
        (proxy as PostgresProxy).onCancel(forward, socket);
      } else {
        proxy.otherCount++;
        sessions.push(socket);
        forward();
      }
    });
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of all) socket.destroy();
    server.close();
  });
  if (path === undefined) proxy.port = (server.address() as AddressInfo).port;
  return proxy;
}
