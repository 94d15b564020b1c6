import type { AddressInfo, Socket } from 'node:net';
import { connect } from './node.ts';
import type { DrainableServer } from './options.ts';

/** The address that reaches a server which listens on all addresses. */
const loopback: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * A connection to ourselves at the end of the system's backlog. The backlog is accepted in order: when the probe is accepted,
 * so is every connection before it. The number of those is unknown, and new ones may arrive without an end.
 */
export class BacklogProbe {
  readonly #socket: Socket;
  /** The address that it connects to. */
  readonly #host: string;
  #isAccepted = false;

  private constructor(host: string, port: number) {
    const socket = connect({ host, port });
    this.#socket = socket;
    this.#host = host;
    // Refused, or not permitted: then the number of accepted connections shows when the backlog is empty.
    socket.on('error', () => {});
  }

  /** Connects to a server within this iteration of the event loop. Returns `undefined` when it does not listen on TCP. */
  static connectTo(server: DrainableServer): BacklogProbe | undefined {
    const address = server.listening ? server.address() : null;
    if (address === null || typeof address === 'string') return undefined;
    const { address: host, port }: AddressInfo = address;
    return new BacklogProbe(loopback[host] ?? host, port);
  }

  /** Whether it was accepted, and with it all connections before it. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Returns whether an accepted socket is the other end of the probe. If so, closes both. */
  accept(socket: Socket): boolean {
    const { localAddress, localPort } = this.#socket;
    if (this.#isAccepted || localPort === undefined || socket.remotePort !== localPort) return false;
    // A client on another host, or one that used another address of this host, may have the same port.
    if (socket.remoteAddress !== localAddress || socket.localAddress !== this.#host) return false;
    this.#isAccepted = true;
    socket.on('error', () => {}).destroy();
    this.destroy();
    return true;
  }

  /** Closes its end. Idempotent. */
  destroy(): void {
    this.#socket.destroy();
  }
}
