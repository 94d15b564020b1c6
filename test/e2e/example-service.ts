// Shared by the tests of the example services: the service in a process of its own, its clients, and the server to which it sends.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { nodeArgs } from '../programs.ts';

const examples = new URL('../../docs/examples/', import.meta.url);

/** A service in a process of its own. */
export interface Service {
  readonly origin: string;
  readonly process: ChildProcess;
  /** Sends SIGTERM, and returns the exit code and the output. */
  stop(): Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Starts `docs/examples/<path>.ts`, and waits until it listens. */
export async function startService(path: string, env: Record<string, string>): Promise<Service> {
  const args = await nodeArgs(fileURLToPath(new URL(`${path}.ts`, examples)));
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env, NO_COLOR: '1' } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let output = '';
  const port = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk;
      const found = /listening.*127\.0\.0\.1.*?(\d{4,})/s.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('close', () => reject(new Error(`It ended before it listened: ${output}`)));
  });
  const stop = async (): Promise<{ code: number | null; output: string }> => {
    child.kill('SIGTERM');
    const [code] = await closed;
    return { code, output };
  };
  return { origin: `http://127.0.0.1:${port}`, process: child, stop };
}

/** A server to which a service sends what it has accepted. */
export interface Consumer {
  readonly url: string;
  /** The bodies, in the order in which they have arrived. */
  readonly received: readonly unknown[];
  /** Whether it answers. */
  isAnswering: boolean;
}

/** Starts a server that answers after 20 ms, so that its callers wait for it most of the time. */
export async function startConsumer(): Promise<Consumer> {
  const received: unknown[] = [];
  const server = createServer(async (incoming, response) => {
    received.push(JSON.parse(await text(incoming)));
    await delay(20);
    if (consumer.isAnswering) response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const consumer = { url, received, isAnswering: true };
  return consumer;
}

/** The observations of a service's clients. */
interface Observed {
  /** The ids that were accepted. */
  readonly accepted: readonly string[];
  /** The statuses of the requests that were refused. */
  readonly refused: readonly number[];
  /** The ids of the requests whose connection was lost before the answer. */
  readonly cutOff: readonly string[];
}

/** The clients of a service. */
export interface Clients {
  /** Fulfils when each client has got three answers. */
  readonly started: Promise<unknown>;
  /** Fulfils when the connection of each client has ended. */
  readonly ended: Promise<Observed>;
}

/**
 * In ms, from one request to the next. Both services wait a second for requests on connections that are idle. On a busy machine a
 * client may read an answer late: it then does not use its connection again.
 */
const LONGEST_PAUSE = 500;

/**
 * Starts clients that each have one connection, and post one thing after the other on it with short pauses. A client stops when
 * its connection ends: another instance would take its next request.
 */
export function startClients(count: number, url: string, bodyOf: (id: string) => object): Clients {
  const accepted: string[] = [];
  const refused: number[] = [];
  const cutOff: string[] = [];
  const clients = Array.from({ length: count }, () => {
    let onStarted: () => void = () => {};
    const started = new Promise<void>((resolve) => (onStarted = resolve));
    return { started, ended: run(onStarted) };
  });
  return {
    started: Promise.all(clients.map(({ started }) => started)),
    ended: Promise.all(clients.map(({ ended }) => ended)).then(() => ({ accepted, refused, cutOff })),
  };

  async function run(onStarted: () => void): Promise<void> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const agent = Object.assign(new Agent({ keepAlive: true }), { createConnection: () => socket });
    let pausedMs = 0;
    for (let answers = 0; socket.writable && pausedMs < LONGEST_PAUSE; answers++) {
      if (answers === 3) onStarted();
      const id = randomUUID();
      const postedAt = performance.now();
      try {
        const status = await post(agent, url, bodyOf(id));
        if (status < 300) accepted.push(id);
        else refused.push(status);
      } catch {
        cutOff.push(id);
      }
      await delay(Math.random() * 10);
      if (answers >= 3) pausedMs = performance.now() - postedAt;
    }
    socket.destroy();
  }
}

async function post(agent: Agent, url: string, body: object): Promise<number> {
  const sent = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } });
  sent.end(JSON.stringify(body));
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

/** Returns the text of a file of the examples. */
export const exampleText = (path: string): string => readFileSync(new URL(path, examples), 'utf8');

/** Returns how many lines a program has, without blank lines and comments. */
export const linesOf = (path: string): number => exampleText(path).match(/^\s*[^\s/].*$/gm)?.length ?? 0;
