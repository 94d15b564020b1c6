// Real clients, many at once. Every response that was sent must arrive complete.
import { once } from 'node:events';
import { createServer, get, Agent as HttpAgent } from 'node:http';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { CancellationToken, systemClock } from '@quiesce/cancellation-token';
import autocannon from 'autocannon';
import { buildConnector, Pool, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Client, dial, gate, serve, serveWith, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
const real = { clock: systemClock, idleGrace: 50 };

describe('under load', { timeout: 60_000 }, () => {
  it('autocannon sees only answers and refusals, and no response is truncated', async () => {
    const served = await serve((_, response) => void setImmediate(() => response.end('x'.repeat(10_000))), real);
    const ended = gate();
    const url = `http://127.0.0.1:${served.port}`;
    const run = autocannon({ url, connections: 50, pipelining: 4, duration: 60, timeout: 3_600 }, () => ended.open());
    const statuses = new Map<number, number>();
    let enough: (value: unknown) => void = () => {};
    const busy = new Promise((resolve) => {
      enough = resolve;
    });
    run.on('response', (_client, status) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if ((statuses.get(200) ?? 0) > 2_000) enough(undefined);
    });
    await busy;
    await served.http.drain(never);
    run.stop();
    await ended;
    expect([...statuses.keys()].every((status) => status === 200 || status === 503)).toBe(true);
    expect(served.http.report()).toMatchObject({ disconnectedCount: 0, destroyed: [], cancelledCount: 0 });
    expect(served.http.state).toBe('drained');
  });

  it('clients with keep-alive connections lose no request that was received', async () => {
    let received = 0;
    const served = await serve((_, response) => {
      received++;
      setImmediate(() => {
        response.write('whole');
        response.end();
      });
    }, real);
    const clients = await Promise.all(Array.from({ length: 40 }, () => dial(served.port)));
    const loops = clients.map(hammer);
    while (received < 1_000) await turns(1);
    await served.http.drain(never);
    const answered = (await Promise.all(loops)).reduce((sum, count) => sum + count);
    // Each request that reached the handler has a complete answer. The others never reached it.
    expect(answered).toBe(received);
    expect(served.http.report()).toMatchObject({ disconnectedCount: 0, destroyed: [] });
  });

  it('undici, with a pool of keep-alive connections, gets every response that is not a refusal', async () => {
    const served = await serve((_, response) => void setImmediate(() => response.end('whole')), real);
    const origin = `http://127.0.0.1:${served.port}`;
    // The system resets a new connection that is in the backlog when the listener closes.
    const resets: [string | undefined, number][] = [];
    const open = buildConnector({});
    const connect: buildConnector.connector = (options, callback) =>
      open(options, (...result) => {
        const socket = result[1];
        socket?.on('error', (error: NodeJS.ErrnoException) => resets.push([error.code, socket.bytesRead]));
        callback(...result);
      });
    const dispatcher = new Pool(origin, { connections: 10, pipelining: 2, connect });
    onTestFinished(() => dispatcher.destroy());
    const codes = new Map<string, number>();
    let done = 0;
    const loop = async (): Promise<void> => {
      for (;;) {
        const outcome = await request(origin, { dispatcher }).then(
          async ({ statusCode, body }) => `${statusCode} ${await body.text()}`,
          (error: NodeJS.ErrnoException) => String(error.code),
        );
        codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
        if (outcome.startsWith('200')) done++;
        else if (outcome === 'ECONNREFUSED') return;
      }
    };
    const loops = Array.from({ length: 20 }, loop);
    while (done < 500) await turns(1);
    await served.http.drain(never);
    await Promise.all(loops);
    // undici reports UND_ERR_SOCKET "other side closed" for a request that it has sent after our last response.
    const allowed =
      /^(200 whole|503 This server is stopping\. Please try again\.\n|ECONNREFUSED|UND_ERR_SOCKET|ECONNRESET)$/;
    expect([...codes.keys()].filter((code) => !allowed.test(code))).toEqual([]);
    expect(resets.filter(([code, bytesRead]) => code === 'ECONNRESET' && bytesRead > 0)).toEqual([]);
    expect(served.http.report()).toMatchObject({ disconnectedCount: 0, destroyed: [] });
  });
});

/** Sends one request after another while the connection is open. Returns how many were answered. */
async function hammer(client: Client): Promise<number> {
  const whole = /^HTTP\/1\.1 200 .*\r\n\r\n5\r\nwhole\r\n0\r\n\r\n$/s;
  for (let answered = 0; ; answered++) {
    client.text = '';
    client.get('/');
    await client.sees(/HTTP\/1\.1 200.*0\r\n\r\n|HTTP\/1\.1 503.*again\.\n/s).catch(() => {});
    if (whole.test(client.text) && !client.text.includes('Connection: close')) continue;
    client.socket.end();
    // The last request was answered or refused completely, or got no byte.
    expect(client.text).toMatch(/^$|^HTTP\/1\.1 (200|503) .*(0\r\n\r\n|again\.\n)$/s);
    return whole.test(client.text) ? answered + 1 : answered;
  }
}

describe('WebSocket clients', () => {
  it('are closed by their own protocol, through the callback, and awaited', async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const served = await serveWith(createServer(), {
      upgraded: () => {
        for (const socket of sockets.clients) socket.close(1001, 'going away');
      },
    });
    served.server.on('upgrade', (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (ws) => ws.on('message', (data) => ws.send(`echo ${data}`)));
    });
    const client = new WebSocket(`ws://127.0.0.1:${served.port}/chat`);
    await once(client, 'open');
    client.send('hello');
    const [message] = await once(client, 'message');
    expect(String(message)).toBe('echo hello');
    const closed = once(client, 'close');
    await served.http.drain(never);
    const [code, why] = await closed;
    expect([code, String(why)]).toEqual([1001, 'going away']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });
});

// The guarantees of http-terminator and stoppable.
describe('guarantees of other libraries', () => {
  it('a server without connections ends at once', async () => {
    const served = await serve(() => {});
    await served.http.drain(never);
    expect(served.clock.now()).toBe(0);
  });

  it('a keep-alive connection of an agent does not keep the server open', async () => {
    const served = await serve((_, response) => response.end('ok'));
    const agent = new HttpAgent({ keepAlive: true });
    const [response] = await once(get({ port: served.port, host: '127.0.0.1', agent }), 'response');
    response.resume();
    await once(response, 'end');
    const over = served.http.drain(never);
    await served.http.draining.cancelled();
    await served.clock.advance(1_000);
    await over;
    agent.destroy();
  });

  it('a request that hangs is ended at the deadline, and the others are not', async () => {
    const answer = gate();
    const served = await serve(async (request, response) => {
      if (request.url === '/hangs') return;
      await answer;
      response.end('fine');
    });
    const [hangs, fine] = [(await served.client()).get('/hangs'), (await served.client()).get('/fine')];
    while (served.http.inFlightCount < 2) await turns(1);
    const deadline = CancellationToken.timeout(5_000, { clock: served.clock });
    const over = served.http.drain(deadline).catch((error) => error.name);
    await served.http.draining.cancelled();
    await served.clock.advance(4_999);
    answer.open();
    await fine.sees('fine');
    await served.clock.advance(1 + 1_000);
    expect(await over).toBe('TimeoutError');
    expect(await hangs.ended).toMatch(/end|ECONNRESET/);
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: ['GET /hangs'] });
  });

  it('stopping twice, or during a stop, has the effect of stopping once', async () => {
    const served = await serve(() => {});
    served.http.stop();
    served.http.stop();
    const both = Promise.all([served.http.drain(never), served.http.drain(never)]);
    served.http.announce();
    served.http.stop();
    await both;
    expect(served.http.state).toBe('drained');
  });

  it('a response whose body is being sent arrives complete', async () => {
    const served = await serve(async (_, response) => {
      for (let i = 0; i < 100; i++) {
        response.write('x'.repeat(10_000));
        if (i % 10 === 0) await sleepFor(0);
      }
      response.end();
    });
    const client = (await served.client()).get('/', 'Connection: keep-alive');
    await client.sees('xxx');
    const over = served.http.drain(never);
    await served.http.draining.cancelled();
    await until(() => served.http.inFlightCount === 0);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(client.text.match(/x+/g)?.join('').length).toBe(1_000_000);
  });
});
