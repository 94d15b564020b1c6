// A real server in a shutdown: its clients are notified while requests are still served.
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import { Shutdown } from '@quiesce/shutdown';
import { expect, it } from 'vitest';

/** The view of a client: the status, and whether the connection stays open. */
function send(port: number, path: string, agent: Agent): Promise<readonly [status: number, connection: string]> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent }, (response: IncomingMessage) => {
      response.resume().once('end', () => resolve([response.statusCode ?? 0, response.headers.connection ?? '']));
    });
    sent.once('error', reject).end();
  });
}

it('notifies its connections while the readiness delay runs, and refuses new ones afterwards', async () => {
  const clock = new VirtualClock();
  const shutdown = new Shutdown({ clock, readinessDelay: 5_000 });
  const server = createServer((incoming, response) => {
    if (incoming.url === '/ready') http.readiness(incoming, response);
    else response.end('served');
  });
  const http = new HttpDrain(server, { idleGrace: 0 });
  shutdown.add(http);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true });

  expect(await send(port, '/', agent)).toEqual([200, 'keep-alive']);
  expect(await send(port, '/ready', agent)).toEqual([200, 'keep-alive']);
  shutdown.request('deploy');
  await clock.advance(1_000);
  expect([shutdown.state, http.state]).toEqual(['stopping', 'stopping']);
  // On an open connection, and on new ones: the request is served, and the connection is closed.
  expect(await send(port, '/', agent)).toEqual([200, 'close']);
  expect(await send(port, '/', agent)).toEqual([200, 'close']);
  expect(await send(port, '/ready', agent)).toEqual([503, 'close']);
  expect(shutdown.state).toBe('stopping');
  await clock.advance(4_000);
  const report = await shutdown.stopped();
  await expect(send(port, '/', agent)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  agent.destroy();
  expect([http.state, report.exitCode, report.errors]).toEqual(['drained', 0, []]);
});
