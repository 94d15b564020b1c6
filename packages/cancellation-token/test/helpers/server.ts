// A local HTTP server whose responses are triggered by a test, independent of the clock.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that has arrived. */
interface Exchange {
  readonly response: ServerResponse;
  /** Fulfilled when the connection has been closed. */
  readonly closed: Promise<unknown>;
}

/** An address of its own for one request. */
interface Route {
  readonly url: string;
  readonly arrival: Promise<Exchange>;
  readonly hasArrived: boolean;
}

export interface LocalServer {
  route(): Route;
  close(): Promise<void>;
}

export async function listen(): Promise<LocalServer> {
  const arrivals = new Map<string, (exchange: Exchange) => void>();
  const server = createServer((request, response) => {
    arrivals.get(request.url ?? '')?.({ response, closed: once(response, 'close') });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let routes = 0;
  return {
    route() {
      const path = `/${routes++}`;
      let hasArrived = false;
      const arrival = new Promise<Exchange>((resolve) => {
        arrivals.set(path, (exchange) => {
          hasArrived = true;
          resolve(exchange);
        });
      });
      return {
        url: `http://127.0.0.1:${port}${path}`,
        arrival,
        get hasArrived() {
          return hasArrived;
        },
      };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
