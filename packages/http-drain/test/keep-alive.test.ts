// Connection: close on the last response, and how long other connections are kept: no request of a client is lost.
import { Agent, createServer, type RequestListener, request, ServerResponse } from 'node:http';
import { CancellationToken } from '@quiesce/cancellation-token';
import { request as fetchOf, Pool } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gate, heads, serve, serveWith, stopped, until } from './vocabulary.ts';

const never = CancellationToken.never;

/** Sends a POST through an agent. Returns its status and its Connection header, or the code of its error. */
function post(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', agent, method: 'POST' };
    const sent = request(options, (response) => {
      response.resume().on('end', () => resolve(`${response.statusCode} ${response.headers.connection}`));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code))).end('x');
  });
}

function agentOf(maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

const handlers: [string, RequestListener][] = [
  ['setHeader', (_, res) => res.setHeader('Connection', 'keep-alive').end('ok')],
  ['setHeader in other letters', (_, res) => res.setHeader('CONNECTION', 'Keep-Alive').end('ok')],
  ['setHeader with a list', (_, res) => res.setHeader('connection', ['keep-alive', 'x-own']).end('ok')],
  ['appendHeader', (_, res) => res.appendHeader('Connection', 'keep-alive').end('ok')],
  ['setHeaders', (_, res) => res.setHeaders(new Map([['Connection', 'keep-alive']])).end('ok')],
  ['an object for writeHead', (_, res) => res.writeHead(200, { connection: 'Keep-Alive', 'X-A': '1' }).end('ok')],
  ['an object after a status text', (_, res) => res.writeHead(200, 'Fine', { Connection: 'keep-alive' }).end('ok')],
  ['raw headers for writeHead', (_, res) => res.writeHead(200, ['Connection', 'keep-alive', 'X-A', '1']).end('ok')],
  [
    'pairs for writeHead',
    (_, res) =>
      res
        .writeHead(200, [
          ['connection', 'keep-alive'],
          ['X-A', '1'],
        ] as never)
        .end('ok'),
  ],
  [
    'both setHeader and writeHead',
    (_, res) => {
      res.setHeader('Connection', 'keep-alive');
      res.writeHead(200, { CONNECTION: 'keep-alive' }).end('ok');
    },
  ],
  [
    'both setHeader and raw headers',
    (_, res) => {
      res.setHeader('X-B', '2');
      res.writeHead(200, ['connection', 'keep-alive']).end('ok');
    },
  ],
  [
    'shouldKeepAlive',
    (_, res) => {
      res.shouldKeepAlive = true;
      res.end('ok');
    },
  ],
  [
    'a header that is removed',
    (_, res) => {
      res.setHeader('Connection', 'keep-alive').removeHeader('Connection');
      res.end('ok');
    },
  ],
  [
    'a wrapper of writeHead, such as on-headers',
    (_, res) => {
      const { writeHead } = res;
      res.writeHead = ((...head: never[]) => {
        res.setHeader('Connection', 'keep-alive');
        return Reflect.apply(writeHead, res, head);
      }) as typeof writeHead;
      res.end('ok');
    },
  ],
  [
    'flushHeaders',
    (_, res) => {
      res.setHeader('Connection', 'keep-alive').flushHeaders();
      res.end('ok');
    },
  ],
  ['a response without a body', (_, res) => res.writeHead(204, { Connection: 'keep-alive' }).end()],
];

describe.each(handlers)('a handler that sets keep-alive by %s', (_, handler) => {
  it('is overridden on the last response, and on no earlier one', async () => {
    const [first, second] = [gate(), gate()];
    const served = await serve(async (req, res) => {
      await (req.url === '/first' ? first : second);
      handler(req, res);
    });
    const client = (await served.client()).get('/first');
    await until(() => served.http.inFlightCount === 1);
    served.http.announce();
    client.get('/second');
    await until(() => served.http.inFlightCount === 2);
    first.open();
    second.open();
    expect(await client.ended).toBe('end');
    const [before, last] = heads(client.text);
    expect(before).not.toContain('close');
    expect(last).toMatch(/^20[04] close$/);
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 2, arrivedAfterFinCount: 0, disconnectedCount: 0 });
  });

  it('keeps its other headers', async () => {
    const [plain, last] = await Promise.all(
      [false, true].map(async (isLast) => {
        const served = await serve(handler);
        if (isLast) served.http.announce();
        const client = (await served.client()).get('/');
        await client.sees(/\r\n\r\n(2\r\n)?ok|204.*\r\n\r\n/s);
        return client.text.split('\r\n').filter((line) => /^(HTTP|x-|content|transfer|ok)/i.test(line));
      }),
    );
    expect(last).toEqual(plain);
  });
});

describe('a head that is not written with `response.writeHead`', () => {
  it.each<[string, RequestListener]>([
    [
      'by the method of the prototype',
      (_, res) => void ServerResponse.prototype.writeHead.call(res, 200, { 'content-length': 2 }).end('ok'),
    ],
    [
      'by a method that replaces the wrapper',
      (_, res) => {
        res.writeHead = ServerResponse.prototype.writeHead;
        res.setHeader('Connection', 'keep-alive').end('ok');
      },
    ],
  ])('loses no request: %s', async (_, handler) => {
    const served = await serve(handler);
    served.http.announce();
    const client = (await served.client()).get('/');
    await client.sees('ok');
    await stopped(served);
    await client.get('/').sees('try again');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({
      completedCount: 1,
      refusedCount: 1,
      arrivedAfterFinCount: 0,
      disconnectedCount: 0,
    });
  });
});

describe('after announce', () => {
  it.each([
    ['copies the Connection header of its upstream', { Connection: 'keep-alive' }],
    ['sets none', {}],
  ])('agents with keep-alive connections lose no request to a handler that %s', async (_, headers) => {
    const served = await serve((req, res) => void req.resume().on('end', () => res.writeHead(200, headers).end('ok')));
    const agent = agentOf(5);
    const outcomes: string[] = [];
    const loop = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        if (n === 20) served.http.announce();
        outcomes.push(await post(served.port, agent));
      }
    };
    await Promise.all(Array.from({ length: 10 }, loop));
    expect([...new Set(outcomes)].sort()).toEqual(['200 close', '200 keep-alive']);
    agent.destroy();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ arrivedAfterFinCount: 0, disconnectedCount: 0 });
  });

  it.each([
    ['node:http', (port: number) => () => post(port, agentOf(1))],
    [
      'undici',
      (port: number) => {
        const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 1, pipelining: 1 });
        onTestFinished(() => pool.destroy());
        return async () => {
          const { statusCode, headers, body } = await fetchOf(`http://127.0.0.1:${port}/`, {
            dispatcher: pool,
            method: 'POST',
            body: 'x',
          });
          await body.dump();
          return `${statusCode} ${headers['connection']}`;
        };
      },
    ],
  ])(
    'the queued requests of a client of %s are served, although the head before them had keep-alive',
    async (name, make) => {
      const finish = gate();
      const served = await serve(async (req, res) => {
        req.resume();
        res.write('part');
        await finish;
        res.end('end');
      });
      const agent = agentOf(1);
      const send = name === 'node:http' ? () => post(served.port, agent) : make(served.port);
      const [first, second] = [send(), send()];
      await until(() => served.http.inFlightCount === 1);
      served.http.announce();
      finish.open();
      expect([await first, await second]).toEqual(['200 keep-alive', '200 close']);
      expect(served.http.report()).toMatchObject({ completedCount: 2, arrivedAfterFinCount: 0, refusedCount: 0 });
    },
  );
});

describe('after the listener has closed', () => {
  it('the queued requests of an agent get a 503 and no reset, although the head before them had keep-alive', async () => {
    const finish = gate();
    const served = await serve(async (req, res) => {
      req.resume();
      res.write('part');
      await finish;
      res.end('end');
    });
    const agent = agentOf(1);
    const [first, second] = [post(served.port, agent), post(served.port, agent)];
    await until(() => served.http.inFlightCount === 1);
    await stopped(served);
    await served.clock.advance(60_000);
    finish.open();
    expect([await first, await second]).toEqual(['200 keep-alive', '503 close']);
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 1, refusedCount: 1, arrivedAfterFinCount: 0 });
  });

  it('a connection has its own idleGrace when the sweep of all connections comes first', async () => {
    const finish = gate();
    const served = await serve(async (_, res) => {
      res.write('part');
      await finish;
      res.end('end');
    });
    const client = (await served.client()).get('/');
    await client.sees('part');
    await stopped(served);
    await served.clock.advance(999);
    finish.open();
    await client.sees('end');
    await until(() => served.http.inFlightCount === 0);
    await served.clock.advance(999);
    await client.get('/late').sees('try again');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
  });
});

describe('an upgrade after a response that was marked as the last', () => {
  it('removes the mark, because the connection continues', async () => {
    const answer = gate();
    const server = createServer(async (_, res) => {
      await answer;
      res.setHeader('Connection', 'keep-alive').end('slow');
    });
    server.on('upgrade', (_, socket) => socket.pipe(socket));
    const served = await serveWith(server);
    served.http.announce();
    const client = (await served.client()).get('/slow').get('/chat', 'Connection: Upgrade', 'Upgrade: echo');
    await until(() => served.http.inFlightCount === 2);
    answer.open();
    await client.sees('slow');
    expect(heads(client.text)).toEqual(['200 keep-alive']);
    await client.send('still here').sees('still here');
    client.socket.end();
    await served.http.drain(never);
  });
});
