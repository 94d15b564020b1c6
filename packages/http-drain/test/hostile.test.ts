import { createServer, type ServerResponse } from 'node:http';
import { CancellationToken, type Clock, type Timer } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { dial, gate, heads, serve, serveWith, stopped, turns, uncaught } from './vocabulary.ts';

const never = CancellationToken.never;

/** A clock on which `pass` fires all timers at once, before the event loop of the server runs again. */
function suddenClock(): { clock: Clock; pass: () => void } {
  const timers = new Map<Timer, () => void>();
  const clock: Clock = {
    now: () => 0,
    wall: () => 0,
    setTimer: (_, fire) => {
      const timer = {} as Timer;
      timers.set(timer, fire);
      return timer;
    },
    clearTimer: (timer) => void timers.delete(timer),
  };
  const pass = (): void => {
    for (const [timer, fire] of timers) {
      timers.delete(timer);
      fire();
    }
  };
  return { clock, pass };
}

describe('a hostile client', () => {
  it('that never completes its head is still subject to the time limits of the server', async () => {
    const server = createServer({ headersTimeout: 40, requestTimeout: 40, connectionsCheckingInterval: 20 });
    const served = await serveWith(server);
    const client = (await served.client()).send('GET / HTTP/1.1\r\nX-Slow: ');
    await turns();
    const over = served.http.drain(never);
    // Node answers 408, and the drain ends before its own deadline.
    await client.sees('408');
    client.socket.destroy();
    await over;
  });

  it('that continues to send after our FIN does not keep the server open', async () => {
    const served = await serve(() => expect.unreachable());
    const client = await served.client();
    await stopped(served);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.send('POST /more HTTP/1.1\r\nHost: test\r\nContent-Length: 9999999\r\n\r\n').send('x'.repeat(100_000));
    client.socket.on('error', () => {});
    await turns();
    await served.clock.advance(1_000);
    await served.http.drain(never);
    expect(served.http.report().arrivedAfterFinCount).toBe(1);
  });

  it('whose request is unread at the end of idleGrace, because the server was busy, gets an answer', async () => {
    const { clock, pass } = suddenClock();
    const served = await serve(() => expect.unreachable(), { clock });
    const client = await served.client();
    await stopped(served);
    // The system has it at once. The server reads it in the next turn of its event loop.
    client.get('/');
    pass();
    await client.sees('503');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ refusedCount: 1, arrivedAfterFinCount: 0 });
  });

  it('whose last bytes are unread at the end of the half-close limit, because the server was busy, is not reset', async () => {
    const { clock, pass } = suddenClock();
    const served = await serve(() => expect.unreachable(), { clock });
    const client = await served.client();
    await stopped(served);
    pass();
    expect(await client.ended).toBe('end');
    const closed = new Promise((resolve) => {
      client.socket.once('error', resolve).once('close', () => resolve('in good order'));
    });
    await turns(1);
    client.get('/').socket.end();
    pass();
    await served.http.drain(never);
    expect([await closed, served.http.report().arrivedAfterFinCount]).toEqual(['in good order', 1]);
  });

  it('that sends bytes other than HTTP gets an answer of Node, and does not delay the drain', async () => {
    const served = await serve(() => {});
    const client = (await served.client()).send('hello\r\n\r\n');
    await client.sees('400 Bad Request');
    client.socket.end();
    await served.http.drain(never);
  });

  it('that connects while the deadline passes is ended too', async () => {
    const served = await serve(() => {}, { idleGrace: Number.POSITIVE_INFINITY, cleanupTimeout: 0 });
    const dialling = Array.from({ length: 30 }, () => dial(served.port).catch(() => undefined));
    const over = served.http.drain(CancellationToken.alreadyCancelled('now')).catch((error) => error);
    const clients = await Promise.all(dialling);
    expect(await over).toBe(undefined);
    for (const client of clients) expect(await client?.ended).toMatch(/end|ECONNRESET|undefined/);
    expect(served.http.state).toBe('drained');
  });

  it('that upgrades after a request without an answer leaves nothing in flight when it disconnects', async () => {
    const served = await serve(() => {});
    served.server.on('upgrade', (_, socket) => socket.on('end', () => socket.end()).resume());
    const client = (await served.client()).get('/waits').get('/chat', 'Connection: Upgrade', 'Upgrade: echo');
    while (served.http.inFlightCount < 2) await turns(1);
    client.socket.destroy();
    while (served.http.inFlightCount > 0) await turns(1);
    await served.http.drain(never);
  });
});

describe('a hostile handler', () => {
  it('that throws in a callback of its token stops no other handler', async () => {
    const errors = uncaught();
    const served = await serve((request, response) => {
      served.http.tokenOf(request).onCancelled(() => {
        response.end('cancelled');
        throw new Error('mine');
      });
    });
    const client = (await served.client()).get('/');
    await turns();
    const deadline = new CancellationToken();
    const over = served.http.drain(deadline).catch((error) => error);
    await served.http.draining.cancelled();
    deadline.cancel('late');
    await client.sees('cancelled');
    client.socket.end();
    expect(await over).toBe('late');
    expect(errors).toEqual(['mine']);
  });

  it('that destroys its response counts as aborted', async () => {
    const arrived = gate<ServerResponse>();
    const served = await serve((_, response) => arrived.open(response));
    (await served.client()).get('/');
    const response = await arrived;
    served.http.stop();
    response.destroy();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 0, disconnectedCount: 1, destroyed: [] });
  });

  it('that closes the server itself, before or after `stop`, only closes the listener earlier', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('whole');
    });
    const client = (await served.client()).get('/');
    await turns();
    served.server.close();
    const over = served.http.drain(never);
    answer.open();
    await client.sees('whole');
    client.socket.end();
    await over;
    const error = await new Promise((resolve) => served.server.close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });

  it('that stops the server during a request has that request served', async () => {
    const served = await serve((_, response) => {
      served.http.stop();
      response.end('stopping');
    });
    const client = (await served.client()).get('/stop');
    await client.sees('stopping');
    expect(heads(client.text)).toEqual(['200 close']);
    client.socket.end();
    await served.http.drain(never);
  });
});
