import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { gate, heads, serve, stopped, turns } from './vocabulary.ts';

const never = CancellationToken.never;
const upgrade = ['Connection: Upgrade', 'Upgrade: echo'];

async function serveEcho(options?: Parameters<typeof serve>[1]) {
  const served = await serve((_, response) => response.end('ok'), options);
  served.server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  return served;
}

describe('an upgraded socket', () => {
  it('is passed to the callback when the listener has closed, and awaited', async () => {
    const handed: unknown[] = [];
    const served = await serveEcho({
      upgraded: (socket, request) => {
        handed.push(request.url);
        socket.end('bye');
      },
    });
    const client = (await served.client()).get('/chat', ...upgrade);
    await client.sees('101');
    expect(served.http.inFlightCount).toBe(1);
    served.http.announce();
    await turns();
    expect(handed).toEqual([]);
    const over = served.http.drain(never);
    await client.sees('bye');
    client.socket.end();
    await over;
    expect(handed).toEqual(['/chat']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });

  it('stays open until the deadline without a callback, and is named then', async () => {
    const served = await serveEcho();
    const client = (await served.client()).get('/chat', ...upgrade);
    await client.sees('101');
    await stopped(served);
    await served.clock.advance(60_000);
    await client.send('still here').sees('still here');
    const over = served.http.drain(CancellationToken.alreadyCancelled('late')).catch((error) => error);
    await served.clock.advance(1_000);
    expect(await over).toBe('late');
    expect(served.http.report().destroyed).toEqual(['GET /chat']);
  });

  it('is not ended by the response to an earlier request', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('slow');
    });
    served.server.on('upgrade', (_, socket) => socket.pipe(socket));
    const client = (await served.client()).get('/slow').get('/chat', ...upgrade);
    while (served.http.inFlightCount < 2) await turns(1);
    served.http.announce();
    answer.open();
    await client.sees('slow');
    await turns();
    await client.send('still here').sees('still here');
    client.socket.end();
    await served.http.drain(never);
  });

  it('is refused after the listener has closed', async () => {
    const served = await serveEcho();
    const client = await served.client();
    await stopped(served);
    await client.get('/chat', ...upgrade).sees('503');
    expect(heads(client.text)).toEqual(['503 close']);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ refusedCount: 1, completedCount: 0 });
  });
});
