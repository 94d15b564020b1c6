import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Connection, connectionOf } from './connection.ts';
import type { Machine } from './machine.ts';
import { TlsServer } from './node.ts';
import { listenOn, openSession, openStream } from './sessions.ts';
import { openUpgraded } from './upgraded.ts';

/** The events of a server that concern us. What it returns says whether nobody else may see the event. */
type Handlers = Record<string, ((...args: never[]) => boolean | void) | undefined>;

/**
 * Sees each event of the server before its listeners do, and may keep it from them.
 *
 * Rejected: a listener in front of the others, which cannot keep a request from the framework behind it.
 */
export function hook(machine: Machine): void {
  const { server } = machine;
  const handlers = handlersOf(machine);
  const emit = server.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  const seen = (event: string | symbol, ...args: unknown[]): boolean => {
    const handler = typeof event === 'string' && Object.hasOwn(handlers, event) ? handlers[event] : undefined;
    return handler?.(...(args as never[])) === true || emit.call(server, event, ...args);
  };
  server.emit = seen as typeof server.emit;
}

function handlersOf(machine: Machine): Handlers {
  const isSecure = machine.server instanceof TlsServer;
  const isHttp2 = 'updateSettings' in machine.server;
  const request = (message: IncomingMessage, response: ServerResponse): boolean => {
    // Those of HTTP/2 are streams, which are seen as such.
    if (message.httpVersionMajor > 1) return false;
    return connectionOf(machine, message.socket).request(message, response);
  };
  /** Set from the server's close, which we have called, until it says that it has closed. */
  let isReleasing = false;
  const upgrade = (message: IncomingMessage, socket: Socket): boolean => {
    // CONNECT of HTTP/2 is a stream too.
    return message.httpVersionMajor === 1 && openUpgraded(machine, message, socket);
  };
  return {
    connection(socket: Socket) {
      if (machine.takeLast(socket)) return true;
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
    // The server's own close does more than close the listener: it is called when all is over, and says so once more.
    close() {
      if (isReleasing) {
        isReleasing = false;
        return true;
      }
      isReleasing = machine.hasClosedListener;
      machine.hasClosedListener = false;
      if (isReleasing) machine.server.close();
      return false;
    },
    listening() {
      if (machine.isRefusing) machine.closeListener();
    },
  };
}
