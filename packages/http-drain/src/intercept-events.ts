import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { DrainSequence } from './drain-sequence.ts';
import { Listener, opening } from './listener.ts';
import { NetSocket, TlsServer } from './node.ts';
import type { DrainableServer } from './options.ts';

/** The intercepted events of a server. A handler that returns true keeps its event from the listeners. */
type Handlers = Record<string, ((...args: never[]) => boolean | void) | undefined>;

/**
 * Handles each event of a server before its listeners do, and may keep it from them.
 *
 * Rejected: a first listener, which cannot keep a request from the listener of the framework.
 */
export function interceptEvents(sequence: DrainSequence, server: DrainableServer): void {
  const listener = new Listener(server);
  sequence.listeners.add(listener);
  const handlers = handlersOf(sequence, listener);
  const emit = server.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  const intercepted = (event: string | symbol, ...args: unknown[]): boolean => {
    const handler = typeof event === 'string' && Object.hasOwn(handlers, event) ? handlers[event] : undefined;
    return handler?.(...(args as never[])) === true || emit.call(server, event, ...args);
  };
  // Fastify's further servers bind this function, and are recognised by its name.
  server.emit = Object.defineProperty(intercepted, 'name', { value: 'emit' }) as typeof server.emit;
  answerExpect(server);
}

/** Handles `Expect` as Node does without a listener. */
function answerExpect(server: DrainableServer): void {
  const isOnlyListener = (event: string): boolean => server.listenerCount(event) === 1;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isOnlyListener('checkContinue')) return;
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('checkExpectation', (_: IncomingMessage, response: ServerResponse) => {
    if (isOnlyListener('checkExpectation')) response.writeHead(417).end();
  });
}

function handlersOf(sequence: DrainSequence, listener: Listener): Handlers {
  const { state, sockets, exchanges, http1, http2 } = sequence;
  const { server } = listener;
  const isSecure = server instanceof TlsServer;
  const isHttp2 = 'updateSettings' in server;
  const request = (message: IncomingMessage, response: ServerResponse): boolean => {
    // Requests of HTTP/2 are handled as streams. A known request was passed on by a listener of another event.
    if (message.httpVersionMajor > 1 || exchanges.find(message, response) !== undefined) return false;
    const { socket } = message;
    // A library may make up a request, to call the listeners without a connection.
    if (!http1.hasConnection(socket) && !(socket instanceof NetSocket)) return false;
    return http1.request(message, response);
  };
  const upgrade = (message: IncomingMessage, socket: Socket): boolean => {
    // CONNECT of HTTP/2 is a stream too.
    if (message.httpVersionMajor > 1 || exchanges.find(message) !== undefined) return false;
    return http1.upgrade(message, socket);
  };
  return {
    connection(socket: Socket) {
      if (listener.acceptProbe(socket)) return true;
      sockets.add(socket);
      if (isSecure) sockets.raw.add(socket);
      else if (isHttp2) http2.limitHalfClose(socket);
      else void http1.open(socket);
      return false;
    },
    secureConnection(socket: TLSSocket) {
      sockets.add(socket);
      if (socket.alpnProtocol === 'h2') http2.limitHalfClose(socket);
      else void http1.open(socket);
    },
    request,
    checkContinue: request,
    checkExpectation: request,
    upgrade,
    connect: upgrade,
    session: (session: Http2Session): void => http2.open(session),
    stream: (stream: Http2Stream, headers: IncomingHttpHeaders): void => http2.openStream(stream, headers),
    // The server's own close does more than close the listener. It is called when all is closed, and emits "close" again.
    // Until then the listeners do not see the event: Fastify would close its other servers, with requests in flight there.
    close() {
      opening.delete(server);
      const isOurs = listener.takeClosed();
      if (isOurs) void sockets.tracker.wait().then(() => server.close());
      return isOurs;
    },
    error(): void {
      opening.delete(server);
    },
    listening() {
      opening.delete(server);
      if (state.isRefusing) listener.close();
    },
  };
}
