import type { AddressInfo, Socket } from 'node:net';
import { connect } from './node.ts';
import type { DrainableServer } from './options.ts';

/** What is listened on when it is everything, and where one reaches it then. */
const loopback: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * A connection of our own, put at the end of the system's backlog: it is served in order, so when this one is accepted
 * everybody has been who stood there before. Nobody tells how many those are, and newcomers may come without an end.
 */
export class Last {
  readonly #socket: Socket;
  /** The address that it connects to. */
  readonly #host: string;
  /** Set once, when it comes out of the backlog. */
  isAccepted = false;

  private constructor(host: string, port: number) {
    const socket = connect({ host, port });
    this.#socket = socket;
    this.#host = host;
    // Refused, or not permitted: then others tell when the backlog is empty.
    socket.on('error', () => {});
  }

  /** Joins the backlog of a server within this turn; gives nothing where there is none of TCP. */
  static standIn(server: DrainableServer): Last | undefined {
    const address = server.listening ? server.address() : null;
    if (address === null || typeof address === 'string') return undefined;
    const { address: host, port }: AddressInfo = address;
    return new Last(loopback[host] ?? host, port);
  }

  /** Says whether the other end of it is what was accepted. */
  take(socket: Socket): boolean {
    const { localAddress, localPort } = this.#socket;
    if (this.isAccepted || localPort === undefined || socket.remotePort !== localPort) return false;
    // A client on another host, or one that has reached us by another address, may have the same port.
    if (socket.remoteAddress !== localAddress || socket.localAddress !== this.#host) return false;
    this.isAccepted = true;
    socket.on('error', () => {}).destroy();
    this.leave();
    return true;
  }

  /** Idempotent. */
  leave(): void {
    this.#socket.destroy();
  }
}
