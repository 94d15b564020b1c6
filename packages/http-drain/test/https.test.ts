import { once } from 'node:events';
import { Agent, createServer, get, type RequestOptions } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { cert, key } from './certificate.ts';
import { Client, dial, gate, heads, serveWith, stopped, turns } from './vocabulary.ts';

const never = CancellationToken.never;

/** A raw connection above TLS. */
async function secure(port: number): Promise<Client> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: cert, allowHalfOpen: true } as object);
  const client = new Client(socket);
  await once(socket, 'secureConnect');
  return client;
}

describe('a server of node:https', () => {
  it('serves requests that it has received, refuses later ones, and ends', async () => {
    const answer = gate();
    const served = await serveWith(
      createServer({ key, cert }, async (request, response) => {
        if (request.url === '/slow') await answer;
        response.end(`<${request.url}>`);
      }),
    );
    const slow = (await secure(served.port)).get('/slow');
    const open = (await secure(served.port)).get('/quick');
    await open.sees('</quick>');
    await turns();
    expect(served.http.inFlightCount).toBe(1);
    await stopped(served);
    const over = served.http.drain(never);
    await open.get('/late').sees('try again');
    answer.open();
    await slow.sees('</slow>');
    expect([heads(slow.text), heads(open.text)]).toEqual([['200 close'], ['200 keep-alive', '503 close']]);
    for (const client of [slow, open]) {
      expect(await client.ended).toBe('end');
      client.socket.end();
    }
    await over;
    expect(served.http.report()).toMatchObject({
      completedCount: 1,
      refusedCount: 1,
      arrivedAfterFinCount: 0,
      destroyed: [],
    });
  });

  it('ends idle connections after idleGrace, also those that have not begun their handshake', async () => {
    const served = await serveWith(createServer({ key, cert }, (_, response) => response.end('ok')));
    const silent = await dial(served.port);
    const idle = await secure(served.port);
    const used = await secure(served.port);
    await used.get('/').sees('ok');
    await stopped(served);
    await served.clock.advance(999);
    expect(served.http.report().endedCount).toBe(0);
    await served.clock.advance(1);
    for (const client of [silent, idle, used]) {
      expect(await client.ended).toBe('end');
      client.socket.end();
    }
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 2 });
  });

  it('destroys the remaining connections at the deadline, also during a handshake', async () => {
    const served = await serveWith(
      createServer({ key, cert }, () => {}),
      { cleanupTimeout: 0 },
    );
    const deaf = (await secure(served.port)).get('/deaf');
    const half = (await served.client()).send('\x16\x03\x01');
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    await expect(served.http.drain(CancellationToken.alreadyCancelled('late'))).rejects.toBe('late');
    expect(served.http.report().destroyed).toEqual(['GET /deaf']);
    expect(await deaf.ended).toMatch(/end|ECONNRESET/);
    expect(await half.ended).toMatch(/end|ECONNRESET/);
  });

  it('makes an agent with keep-alive connections open new ones', async () => {
    const served = await serveWith(createServer({ key, cert }, (_, response) => response.end('ok')));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const options: RequestOptions = { port: served.port, host: '127.0.0.1', ca: cert, agent };
    const send = async (): Promise<string | undefined> => {
      const [response] = await once(get(options), 'response');
      response.resume();
      await once(response, 'close');
      return response.headers.connection;
    };
    expect(await send()).toBe('keep-alive');
    served.http.announce();
    expect([await send(), await send()]).toEqual(['close', 'close']);
    agent.destroy();
    await served.http.drain(never);
  });
});
