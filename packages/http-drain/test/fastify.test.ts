// Fastify listens on each address of its host with another server. A drain treats all of them as one app.
import dns from 'node:dns';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cert, key } from './certificate.ts';
import { Client, gate, heads, serveWith, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
/** Another address of this machine. */
const other = process.platform === 'darwin' ? '::1' : '127.0.0.2';

/** Gives `localhost` two addresses, on every machine. */
function twoAddresses(): void {
  const { lookup } = dns;
  onTestFinished(() => void Object.assign(dns, { lookup }));
  const addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: other, family: other.includes(':') ? 6 : 4 },
  ];
  const fake = (host: string, ...more: (dns.LookupAllOptions | ((...found: unknown[]) => void))[]): void => {
    if (host !== 'localhost') {
      Reflect.apply(lookup, dns, [host, ...more]);
      return;
    }
    const done = more.at(-1) as (...found: unknown[]) => void;
    const isAll = typeof more[0] === 'object' && more[0].all;
    setImmediate(() => (isAll ? done(null, addresses) : done(null, '127.0.0.1', 4)));
  };
  Object.assign(dns, { lookup: fake });
}

/** The ways to create an HttpDrain: the argument, and the time. */
const ways: [string, (app: FastifyInstance) => ConstructorParameters<typeof HttpDrain>[0], 'before' | 'after'][] = [
  ['the app, before it listens', (app) => app, 'before'],
  ['app.server, before it listens', (app) => app.server, 'before'],
  ['the app, after that', (app) => app, 'after'],
  ['app.server, after that', (app) => app.server, 'after'],
];

interface App {
  app: FastifyInstance;
  http: HttpDrain;
  clock: VirtualClock;
  port: number;
  answer(): void;
}

async function start(way: (typeof ways)[number], options: FastifyServerOptions = {}): Promise<App> {
  twoAddresses();
  const [, what, when] = way;
  const answer = gate();
  const app = Fastify({ ...options, logger: false });
  app.get('/slow', async () => {
    await answer;
    return 'whole';
  });
  app.get('/stream', (_, reply) => void reply.hijack().raw.write('begun'));
  const clock = new VirtualClock();
  const made = (): HttpDrain => new HttpDrain(what(app), { clock, cleanupTimeout: 0 });
  let http = when === 'before' ? made() : undefined;
  await app.listen({ port: 0 });
  http ??= made();
  onTestFinished(async () => void (await app.close()));
  expect(
    app
      .addresses()
      .map((one) => (one as AddressInfo).address)
      .sort(),
  ).toEqual(['127.0.0.1', other].sort());
  return { app, http, clock, port: (app.server.address() as AddressInfo).port, answer: answer.open };
}

async function dial(host: string, port: number): Promise<Client> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const client = new Client(socket);
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  return client;
}

describe.each(ways)('a drain of %s', (...way) => {
  it('serves requests in flight on each address, and refuses new connections on each', async () => {
    const { app, http, port, answer } = await start(way);
    const clients = await Promise.all(['127.0.0.1', other].map((host) => dial(host, port)));
    for (const client of clients) client.get('/slow');
    await until(() => http.inFlightCount === 2);
    const over = http.drain(never);
    await http.draining.cancelled();
    for (const host of ['127.0.0.1', other]) expect(await (await dial(host, port)).ended).toBe('ECONNREFUSED');
    answer();
    for (const client of clients) {
      await client.sees('whole');
      expect(heads(client.text)).toEqual(['200 close']);
      client.socket.end();
    }
    await over;
    expect(http.report()).toMatchObject({ completedCount: 2, disconnectedCount: 0, destroyed: [] });
    await app.close();
  });

  it('waits for the second address when the first has nothing left, also when Fastify closes by force', async () => {
    const { http, port, answer } = await start(way, { forceCloseConnections: true });
    const client = (await dial(other, port)).get('/slow');
    await until(() => http.inFlightCount === 1);
    const over = http.drain(never);
    await http.draining.cancelled();
    await turns(20);
    expect(http.state).toBe('draining');
    answer();
    await client.sees('whole');
    client.socket.end();
    await over;
    expect(http.report()).toMatchObject({ completedCount: 1, disconnectedCount: 0, destroyed: [] });
  });

  it('names the requests that it cuts off on the second address', async () => {
    const { http, port } = await start(way);
    await (await dial(other, port)).get('/stream').sees('begun');
    await expect(http.drain(CancellationToken.alreadyCancelled('late'))).rejects.toBe('late');
    expect(http.report()).toMatchObject({ cancelledCount: 1, destroyed: ['GET /stream'] });
  });

  it('counts an upgrade on the second address once, although Fastify passes it to its first server', async () => {
    const { app, http, port } = await start(way);
    app.server.on('upgrade', (_, socket: Socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nbye'));
    const client = (await dial(other, port)).get('/chat', 'Connection: Upgrade', 'Upgrade: echo');
    await client.sees('bye');
    expect(http.inFlightCount).toBe(1);
    client.socket.end();
    await until(() => http.inFlightCount === 0);
  });

  it('serves every request on both after `announce`', async () => {
    const { http, port, answer } = await start(way);
    answer();
    http.announce();
    for (const host of ['127.0.0.1', other]) {
      const client = (await dial(host, port)).get('/slow');
      await client.sees('whole');
      expect(heads(client.text)).toEqual(['200 close']);
    }
  });
});

describe('a drain of Fastify', () => {
  it('of HTTPS serves requests in flight on the second address', async () => {
    const { http, port, answer } = await start(['', (app) => app.server, 'before'], {
      https: { key, cert },
    } as FastifyServerOptions);
    const client = new Client(connectTls({ host: other, port, ca: cert, checkServerIdentity: () => undefined }));
    client.get('/slow');
    await until(() => http.inFlightCount === 1);
    const over = http.drain(never);
    await http.draining.cancelled();
    answer();
    await client.sees('whole');
    client.socket.end();
    await over;
    expect(http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });

  it('of HTTP/2 serves requests in flight on the second address', async () => {
    const { http, clock, port, answer } = await start(['', (app) => app.server, 'before'], {
      http2: true,
    } as FastifyServerOptions);
    const session = connectHttp2(`http://${other.includes(':') ? `[${other}]` : other}:${port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': '/slow' }).setEncoding('utf8');
    let body = '';
    stream.on('data', (text: string) => (body += text));
    const closed = new Promise((resolve) => stream.once('close', resolve));
    await until(() => http.inFlightCount === 1);
    const over = http.drain(never);
    await http.draining.cancelled();
    answer();
    await closed;
    expect(body).toBe('whole');
    await clock.advance(1_000);
    await over;
    expect(http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });
});

describe('two servers with one handler', () => {
  it('have a drain each, also when both pass their upgrades to one emitter', async () => {
    const sockets = new EventEmitter();
    const handler = (_: unknown, response: { end(text: string): void }): void => response.end('ok');
    const servers = ['a', 'b'].map(() => createServer(handler).on('upgrade', sockets.emit.bind(sockets, 'upgrade')));
    const drains = servers.map((server, at) => new HttpDrain(server, { name: `${at}`, clock: new VirtualClock() }));
    for (const server of servers) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    await drains[0]?.drain(never);
    expect(servers.map(({ listening }) => listening)).toEqual([false, true]);
    await drains[1]?.drain(never);
  });

  it('are independent: the drain of one does not stop the other', async () => {
    const handler = (_: unknown, response: { end(text: string): void }): void => response.end('ok');
    const [first, second] = [await serveWith(createServer(handler)), createServer(handler)];
    await new Promise<void>((done) => second.listen(0, '127.0.0.1', done));
    onTestFinished(() => void second.close());
    await first.http.drain(never);
    expect([first.server.listening, second.listening]).toEqual([false, true]);
    await new HttpDrain(second).drain(never);
    expect(second.listening).toBe(false);
  });
});
