// A server that runs for months retains nothing of its requests and connections.
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { CancellationToken } from '@quiesce/cancellation-token';
import { HttpDrain } from '@quiesce/http-drain';
import { expect, test } from 'vitest';
import { collectGarbage, survivors } from '../../../test/leak/leak.ts';
import { serve, turns } from './vocabulary.ts';

test('a server retains no request that has ended, and no token', async () => {
  const seen: WeakRef<object>[] = [];
  const served = await serve((request, response) => {
    seen.push(new WeakRef(request), new WeakRef(served.http.tokenOf(request)));
    response.end('ok');
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = async (): Promise<void> => {
    const [response] = await once(get({ port: served.port, host: '127.0.0.1', agent }), 'response');
    response.resume();
    await once(response, 'close');
  };
  for (let n = 0; n < 200; n++) await send();
  agent.destroy();
  while (served.http.inFlightCount > 0) await turns();
  await collectGarbage();
  // The engine may still hold the last one. A leak would hold all.
  expect(seen.length).toBe(400);
  expect(seen.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(8);
});

test('a server retains no closed connection', async () => {
  const sockets: WeakRef<object>[] = [];
  const served = await serve((_, response) => response.end('ok'));
  served.server.on('connection', (socket) => sockets.push(new WeakRef(socket)));
  for (let n = 0; n < 50; n++) {
    const [response] = await once(get({ port: served.port, host: '127.0.0.1', agent: false }), 'response');
    response.resume();
    await once(response, 'close');
  }
  await turns(20);
  await collectGarbage();
  expect(sockets.length).toBe(50);
  expect(sockets.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(4);
});

test('a long-lived token retains no server that it announced', async () => {
  const stopping = new CancellationToken();
  const left = await survivors(200, async () => {
    const server = createServer();
    await new HttpDrain(server, { signal: stopping }).drain(CancellationToken.never);
    return server;
  });
  expect(left).toBe(0);
});

test('a drained server has no timer left', async () => {
  const server = createServer();
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const http = new HttpDrain(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await http.drain(CancellationToken.never);
  await turns();
  expect(timers()).toBeLessThanOrEqual(before);
});
