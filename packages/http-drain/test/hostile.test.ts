import { createServer, type ServerResponse } from 'node:http';
import { CancellationToken, type Clock, type Timer } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { dial, gate, heads, serve, serveWith, stopped, turns, uncaught } from './vocabulary.ts';

const never = CancellationToken.never;

/** A clock on which `pass` lets all times be over at once, before the server gets another turn. */
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

describe('a client that means no good', () => {
  it('and sends its head for ever is still subject to the time limits of the server', async () => {
    const server = createServer({ headersTimeout: 40, requestTimeout: 40, connectionsCheckingInterval: 20 });
    const served = await serveWith(server);
    const client = (await served.client()).send('GET / HTTP/1.1\r\nX-Slow: ');
    await turns();
    const over = served.http.drain(never);
    // Node says 408, and the drain ends, without any deadline of ours.
    await client.sees('408');
    client.socket.destroy();
    await over;
  });

  it('and sends on after our FIN does not keep the server open', async () => {
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
    expect(served.http.report().crossed).toBe(1);
  });

  it('and whose request stands unread when the grace is over, since the server was busy, is answered', async () => {
    const { clock, pass } = suddenClock();
    const served = await serve(() => expect.unreachable(), { clock });
    const client = await served.client();
    await stopped(served);
    // The system has it at once; the server reads it in its next turn.
    client.get('/');
    pass();
    await client.sees('503');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ refused: 1, crossed: 0 });
  });

  it('and whose last bytes stand unread when we listen no longer, since the server was busy, is not reset', async () => {
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
    expect([await closed, served.http.report().crossed]).toEqual(['in good order', 1]);
  });

  it('and sends what is no HTTP is answered by Node, and is not in the way', async () => {
    const served = await serve(() => {});
    const client = (await served.client()).send('hello\r\n\r\n');
    await client.sees('400 Bad Request');
    client.socket.end();
    await served.http.drain(never);
  });

  it('and comes while the deadline passes is ended too', async () => {
    const served = await serve(() => {}, { idleGrace: Number.POSITIVE_INFINITY, cancelGrace: 0 });
    const dialling = Array.from({ length: 30 }, () => dial(served.port).catch(() => undefined));
    const over = served.http.drain(CancellationToken.alreadyCancelled('now')).catch((error) => error);
    const clients = await Promise.all(dialling);
    expect(await over).toBe(undefined);
    for (const client of clients) expect(await client?.ended).toMatch(/end|ECONNRESET|undefined/);
    expect(served.http.state).toBe('drained');
  });

  it('and upgrades behind a request that is not answered leaves nothing in flight when it goes', async () => {
    const served = await serve(() => {});
    served.server.on('upgrade', (_, socket) => socket.on('end', () => socket.end()).resume());
    const client = (await served.client()).get('/waits').get('/chat', 'Connection: Upgrade', 'Upgrade: echo');
    while (served.http.inFlight < 2) await turns(1);
    client.socket.destroy();
    while (served.http.inFlight > 0) await turns(1);
    await served.http.drain(never);
  });
});

describe('a handler that means no good', () => {
  it('and throws inside of the token of its request stops nobody', async () => {
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

  it('and destroys its response counts as one that its client has left', async () => {
    const arrived = gate<ServerResponse>();
    const served = await serve((_, response) => arrived.open(response));
    (await served.client()).get('/');
    const response = await arrived.promise;
    served.http.stop();
    response.destroy();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completed: 0, aborted: 1, cutOff: [] });
  });

  it('and closes the server itself, before or after, changes nothing but who closes the listener', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer.promise;
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

  it('and stops the server inside of a request has that request served', async () => {
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
