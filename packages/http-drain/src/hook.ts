import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Connection, connectionOf } from './connection.ts';
import { exchangeOf } from './exchange.ts';
import { Listener, opening } from './listener.ts';
import type { Machine } from './machine.ts';
import { NetSocket, TlsServer } from './node.ts';
import type { DrainableServer } from './options.ts';
import { listenOn, openSession, openStream } from './sessions.ts';
import { openUpgraded } from './upgraded.ts';

/** The events of a server that concern us. What it returns says whether nobody else may see the event. */
type Handlers = Record<string, ((...args: never[]) => boolean | void) | undefined>;

/**
 * Sees each event of a server before its listeners do, and may keep it from them.
 *
 * Rejected: a listener in front of the others, which cannot keep a request from the framework behind it.
 */
export function hook(machine: Machine, server: DrainableServer): void {
  const listener = new Listener(server);
  machine.listeners.add(listener);
  const handlers = handlersOf(machine, listener);
  const emit = server.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  const seen = (event: string | symbol, ...args: unknown[]): boolean => {
    const handler = typeof event === 'string' && Object.hasOwn(handlers, event) ? handlers[event] : undefined;
    return handler?.(...(args as never[])) === true || emit.call(server, event, ...args);
  };
  // By this name Fastify's further servers are known, which bind it.
  server.emit = Object.defineProperty(seen, 'name', { value: 'emit' }) as typeof server.emit;
  expect(server);
}

/** Does what Node does with `Expect` where the server has no listener for it: then no event would tell us of the request. */
function expect(server: DrainableServer): void {
  const isAlone = (event: string): boolean => server.listenerCount(event) === 1;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isAlone('checkContinue')) return;
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('checkExpectation', (_: IncomingMessage, response: ServerResponse) => {
    if (isAlone('checkExpectation')) response.writeHead(417).end();
  });
}

function handlersOf(machine: Machine, listener: Listener): Handlers {
  const { server } = listener;
  const isSecure = server instanceof TlsServer;
  const isHttp2 = 'updateSettings' in server;
  const request = (message: IncomingMessage, response: ServerResponse): boolean => {
    // Those of HTTP/2 are streams, which are seen as such. One that is known was handed on by a listener of another event.
    if (message.httpVersionMajor > 1 || exchangeOf(machine, message, response) !== undefined) return false;
    const { socket } = message;
    // One that a library makes up, to call the handlers without a connection.
    if (!machine.connections.has(socket) && !(socket instanceof NetSocket)) return false;
    return connectionOf(machine, socket).request(message, response);
  };
  const upgrade = (message: IncomingMessage, socket: Socket): boolean => {
    // CONNECT of HTTP/2 is a stream too.
    if (message.httpVersionMajor > 1 || exchangeOf(machine, message) !== undefined) return false;
    return openUpgraded(machine, message, socket);
  };
  return {
    connection(socket: Socket) {
      if (listener.takeLast(socket)) return true;
      machine.add(socket);
      if (isSecure) machine.raw.add(socket);
      else if (isHttp2) listenOn(machine, socket);
      else void new Connection(machine, socket);
      return false;
    },
    secureConnection(socket: TLSSocket) {
      machine.add(socket);
      if (socket.alpnProtocol === 'h2') listenOn(machine, socket);
      else void new Connection(machine, socket);
    },
    request,
    checkContinue: request,
    checkExpectation: request,
    upgrade,
    connect: upgrade,
    session: (session: Http2Session): void => openSession(machine, session),
    stream: (stream: Http2Stream, headers: IncomingHttpHeaders): void => openStream(machine, stream, headers),
    // The server's own close does more than close the listener. It is called when all is over, and says so once more. Until
    // then nobody is told: Fastify closes its other servers then, with what is in flight there.
    close() {
      opening.delete(server);
      const isOurs = listener.takeClosed();
      if (isOurs) void machine.parts.wait().then(() => server.close());
      return isOurs;
    },
    error(): void {
      opening.delete(server);
    },
    listening() {
      opening.delete(server);
      if (machine.isRefusing) listener.close();
    },
  };
}
