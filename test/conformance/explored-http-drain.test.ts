// The drain of a server without sockets: Node's HTTP parser reads connections that are streams in memory. Requests, answers and the
// drain come in every order. Bound 1; 10 s of processor time.

import { createServer, type RequestListener, type Server, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { HttpDrain } from '@quiesce/http-drain';
import { explore, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

/** The server's end of a connection in memory. The test writes what a client sends, and reads what it gets. */
class Connection extends Duplex {
  received = '';
  bytesRead = 0;
  /** Whether the server has sent FIN. */
  isEnded = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.toString('latin1');
    done();
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    done();
    // The client closes its side.
    this.push(null);
  }

  /** Sends a text. Returns false when the connection is closed. */
  send(text: string): boolean {
    if (this.destroyed || this.isEnded) return false;
    this.bytesRead += text.length;
    this.push(text);
    return true;
  }

  setTimeout(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }

  /** The status codes of the responses. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  }
}

/** For the header `Date`, Node caches the time by a real timer. */
class Undated extends ServerResponse {
  override sendDate = false;
}

function serve(listener: RequestListener): Server {
  return createServer({ ServerResponse: Undated as typeof ServerResponse }, listener);
}

function connect(server: Server): Connection {
  const connection = new Connection();
  server.emit('connection', connection);
  return connection;
}

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** A server whose answers are operations of the world, and its drain. */
function start(world: World): { server: Server; http: HttpDrain } {
  const query = world.external('query', ['rows']);
  const server = serve((incoming, response) => {
    void query(incoming.url).then((rows) => response.end(rows));
  });
  return { server, http: new HttpDrain(server, { idleGrace: 50 }) };
}

test('a drain at any time cuts off no request, and refuses or serves each one', async () => {
  await explore(
    async (world) => {
      const { server, http } = start(world);
      const connection = connect(server);
      let sent = 0;
      let sentBeforeStop = 0;
      world.events('requests', ['/a', '/b'], (path) => {
        const isRunning = http.state === 'running';
        if (!connection.send(request(path))) return;
        sent++;
        if (isRunning) sentBeforeStop++;
      });
      world.anytime('stop', () => http.stop());
      await world.rest();
      await http.drain(new AbortController().signal);
      const { statuses } = connection;
      expect(statuses.slice(0, sentBeforeStop)).toEqual(Array(sentBeforeStop).fill(200));
      expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
      expect(statuses.length + http.report().arrivedAfterFinCount).toBe(sent);
      expect(http.state).toBe('drained');
      expect(http.report().destroyed).toEqual([]);
    },
    { bound: 1, ignore: ['HTTPINCOMINGMESSAGE'] },
  );
});

test('the last response says `Connection: close` while stopping, and no earlier one of a pipeline', async () => {
  await explore(
    async (world) => {
      const { server, http } = start(world);
      const connection = connect(server);
      let isAnnounced = false;
      connection.send(request('/a') + request('/b'));
      world.anytime('announce', () => {
        isAnnounced = !connection.received.includes('HTTP/1.1 200 OK', 20);
        http.announce();
      });
      await world.rest();
      const heads = connection.received.split('HTTP/1.1 ').slice(1);
      expect(heads).toHaveLength(2);
      expect(heads[0]).not.toMatch(/^Connection: close/im);
      if (isAnnounced) expect(heads[1]).toMatch(/^Connection: close/im);
      await http.drain(new AbortController().signal);
    },
    { bound: 1, ignore: ['HTTPINCOMINGMESSAGE'] },
  );
});

test('a deadline at any time cancels the tokens of requests, and destroys what does not end', async () => {
  await explore(
    async (world) => {
      const query = world.external('query', ['rows']);
      const server = serve((incoming, response) => {
        const { signal } = http.tokenOf(incoming);
        query(incoming.url, { signal }).then(
          (rows) => response.end(rows),
          () => response.writeHead(500).end(),
        );
      });
      const http = new HttpDrain(server, { idleGrace: 50, cleanupTimeout: 20 });
      const connections = ['/a', '/b'].map((path) => {
        const connection = connect(server);
        connection.send(request(path));
        return connection;
      });
      world.anytime('abort', () => http.abort(new Error('deadline')));
      await http.drain(new AbortController().signal);
      for (const { statuses } of connections) expect([[200], [500], [503]]).toContainEqual(statuses);
      expect(http.inFlightCount).toBe(0);
    },
    { bound: 1, ignore: ['HTTPINCOMINGMESSAGE'] },
  );
});
