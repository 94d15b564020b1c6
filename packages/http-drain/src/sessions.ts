import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { Exchange } from './exchange.ts';
import type { Machine } from './machine.ts';

/** The first GOAWAY names the highest stream there can be: nothing that is on its way is refused (RFC 9113, 6.8). */
const LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/** A session of HTTP/2 was opened. */
export function openSession(machine: Machine, session: Http2Session): void {
  // Besides that of its socket, which may have been accepted before we were there.
  const guard = machine.parts.guard();
  machine.sessions.add(session);
  session.once('close', () => {
    machine.sessions.delete(session);
    guard.dispose();
  });
  if (machine.isRefusing) retire(machine, session);
}

/** A stream was opened by the client. */
export function openStream(machine: Machine, stream: Http2Stream, headers: IncomingHttpHeaders): void {
  const { session } = stream;
  if (session !== undefined && !machine.sessions.has(session)) openSession(machine, session);
  const path = headers[':path'];
  const exchange = new Exchange(
    machine,
    [stream],
    stream,
    String(headers[':method']),
    path === undefined ? '?' : String(path),
  );
  stream.once('close', () => {
    // An RST_STREAM of NO_ERROR says that the response was complete before the request was (RFC 9113, 8.1). A session that
    // is destroyed says NO_ERROR too.
    const isWhole = stream.rstCode === NO_ERROR && !stream.aborted && !machine.isDestroying;
    exchange.end(isWhole ? 'completed' : 'aborted');
  });
}

/** Tells the client to open no more streams; one grace interval later refuses them, and ends with the last of them. */
export function retire(machine: Machine, session: Http2Session): void {
  const { clock, idleGrace } = machine.settings;
  if (session.closed || session.destroyed) return;
  session.goaway(NO_ERROR, LAST_STREAM);
  const timer = clock.setTimer(idleGrace, () => session.close(), { ref: true });
  session.once('close', () => clock.clearTimer(timer));
}

/** One that has said all, and whose client does not end it, is listened to no longer than a connection of HTTP/1. */
export function listenOn(machine: Machine, socket: Socket): void {
  socket.once('finish', () => {
    if (!machine.isRefusing || socket.destroyed) return;
    const { clock, idleGrace } = machine.settings;
    const timer = clock.setTimer(idleGrace, () => socket.destroy(), { ref: true });
    socket.once('close', () => clock.clearTimer(timer));
  });
}
