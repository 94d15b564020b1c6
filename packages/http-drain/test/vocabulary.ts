// Servers that listen on the loopback only, and clients that send raw bytes. Nothing here waits for time, only for events.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type DrainableServer, HttpDrain, type HttpDrainOptions } from '@quiesce/http-drain';
import { onTestFinished } from 'vitest';

export { type Gate, gate } from '../../../test/gate.ts';

/** A server under test. */
export interface Served<S> {
  server: S;
  http: HttpDrain;
  clock: VirtualClock;
  port: number;
  /** Opens a raw connection, which the server has accepted. */
  client(): Promise<Client>;
}

/** Starts a server with a drain on a virtual clock. */
export function serve(handler: RequestListener, options?: HttpDrainOptions): Promise<Served<Server>> {
  return serveWith(createServer(handler), options);
}

export async function serveWith<S extends DrainableServer>(server: S, options?: HttpDrainOptions): Promise<Served<S>> {
  const clock = new VirtualClock();
  const http = new HttpDrain(server, { clock, ...options });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const client = async (): Promise<Client> => {
    const accepted = once(server, 'connection');
    const made = await dial(port);
    await accepted;
    return made;
  };
  return { server, http, clock, port, client };
}

/** A client that records each byte and the end of its connection. */
export class Client {
  readonly socket: Socket;
  /** All bytes received. */
  text = '';
  /** `end` (FIN), or the code of the error. The connection may be half open then. */
  readonly ended: Promise<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.ended = new Promise((resolve) => {
      socket.once('end', () => resolve('end'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    onTestFinished(() => void socket.destroy());
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** Sends a request without a body. */
  get(path: string, ...headers: string[]): this {
    return this.send([`GET ${path} HTTP/1.1`, 'Host: test', ...headers, '', ''].join('\r\n'));
  }

  /** Waits until this text was received. Fails when the connection ends before. */
  async sees(part: string | RegExp): Promise<string> {
    const isThere = (): boolean => (typeof part === 'string' ? this.text.includes(part) : part.test(this.text));
    const ended = this.ended.then((how) => ({ how }));
    while (!isThere()) {
      const first = await Promise.race([once(this.socket, 'data'), ended]);
      if ('how' in first && !isThere()) throw new Error(`ended (${first.how}) before ${part} came: ${this.text}`);
    }
    return this.text;
  }
}

export async function dial(port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const client = new Client(socket);
  await once(socket, 'connect');
  return client;
}

/** Returns the outcome of an attempt to connect. */
export async function dialled(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** Waits for some turns of the event loop, in which sockets are read. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Waits for as many turns of the event loop as it takes. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turns(1);
}

/** Stops, and waits until the listener has closed. */
export async function stopped({ http }: { http: HttpDrain }): Promise<void> {
  http.stop();
  await http.draining.cancelled();
}

/** Returns the head of each response, in order: `200 keep-alive`, `503 close`. */
export function heads(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+).*?\r\n\r\n/gs)].map(
    ([head, status]) => `${status} ${/^connection: (.*)$/im.exec(head)?.[1]?.trim() ?? '-'}`,
  );
}

/** Collects the messages of uncaught errors until the end of the test. */
export function uncaught(): string[] {
  const messages: string[] = [];
  const before = setUncaughtHandler((error) => messages.push((error as Error).message));
  onTestFinished(() => void setUncaughtHandler(before));
  return messages;
}
