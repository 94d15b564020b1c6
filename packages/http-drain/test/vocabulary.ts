// Servers that listen on the loopback only, and clients that speak in bytes: nothing here waits for time, only for events.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type DrainableServer, drain, type HttpDrain, type HttpDrainOptions } from '@quiesce/http-drain';
import { onTestFinished } from 'vitest';

/** A server under test. */
export interface Served<S> {
  server: S;
  http: HttpDrain;
  clock: VirtualClock;
  port: number;
  /** A connection in bytes, which the server has accepted. */
  client(): Promise<Client>;
}

/** Serves with a drain on a virtual clock. */
export function serve(handler: RequestListener, options?: HttpDrainOptions): Promise<Served<Server>> {
  return serveWith(createServer(handler), options);
}

export async function serveWith<S extends DrainableServer>(server: S, options?: HttpDrainOptions): Promise<Served<S>> {
  const clock = new VirtualClock();
  const http = drain(server, { clock, ...options });
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

/** A client that sees each byte, and how its connection ends. */
export class Client {
  readonly socket: Socket;
  /** Everything received. */
  text = '';
  /** `end` (FIN), or the code of the error; the connection may be half open then. */
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

  /** Waits until this was received; fails when the connection ends before. */
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

/** How an attempt to connect ends. */
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

/** Something that a test lets happen. */
export interface Gate<T = void> {
  promise: Promise<T>;
  open(value: T): void;
}

export function gate<T = void>(): Gate<T> {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Some turns of the event loop, in which sockets are read. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** As many turns as it takes. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turns(1);
}

/** Stops, and waits until the listener has closed. */
export async function stopped({ http }: { http: HttpDrain }): Promise<void> {
  http.stop();
  await http.draining.cancelled();
}

/** The head of each response, in order: `200 keep-alive`, `503 close`. */
export function heads(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+).*?\r\n\r\n/gs)].map(
    ([head, status]) => `${status} ${/^connection: (.*)$/im.exec(head)?.[1]?.trim() ?? '-'}`,
  );
}

/** The messages of errors without a caller, until the end of the test. */
export function uncaught(): string[] {
  const messages: string[] = [];
  const before = setUncaughtHandler((error) => messages.push((error as Error).message));
  onTestFinished(() => void setUncaughtHandler(before));
  return messages;
}
