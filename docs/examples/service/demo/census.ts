// Follows each connection of the load at its socket. autocannon counts errors and answers, but does not report whether a
// reset connection had been accepted, or whether an answer broke off. Node publishes every socket that this process opens
// on a diagnostics channel.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Answers } from './answers.ts';

/** How the connections ended, as numbers. */
export interface Counts {
  /** Accepted by the service: it reported them, or they received a byte, or ended before the signal. */
  readonly accepted: number;
  /** Accepted ones that ended by a reset or another error. */
  readonly reset: number;
  /** Accepted ones that ended without an error, but within an answer, or while a request waited for one. */
  readonly cut: number;
  /** Complete answers. */
  readonly whole: number;
  /** Newcomers: connections that only the system had accepted, and that it reset without a byte when the listener closed. */
  readonly newcomersReset: number;
  /** Attempts that the system refused. */
  readonly refused: number;
}

interface Seen {
  /** The port of the client, or `undefined` for a connection that was never established. */
  port: number | undefined;
  error: string | undefined;
  /** Whether it ended before the signal, when the service had no reason to refuse it. */
  isEarly: boolean;
  readonly answers: Answers;
}

export class Census {
  readonly #port: number;
  readonly #seen: Set<Seen> = new Set();
  /** The client ports of the connections that the service reported as accepted. */
  readonly #accepted: Set<number> = new Set();
  #hasSignalled = false;
  readonly #watch = (message: unknown): void => this.#follow((message as { readonly socket: Socket }).socket);

  /** @param port the port of the service; counts connections that this process opens to it from now on */
  constructor(port: number) {
    this.#port = port;
    subscribe('net.client.socket', this.#watch);
  }

  /** Records that the service reported a connection as accepted. */
  accepted(port: number): void {
    this.#accepted.add(port);
  }

  /** Records the signal: from now on the service may refuse new connections. */
  signalled(): void {
    this.#hasSignalled = true;
  }

  /** Stops counting. */
  close(): void {
    unsubscribe('net.client.socket', this.#watch);
  }

  counts(): Counts {
    const all = [...this.#seen];
    const connected = all.filter(({ port }) => port !== undefined);
    const accepted = connected.filter((seen) => this.#isAccepted(seen));
    const others = connected.filter((seen) => !this.#isAccepted(seen));
    return {
      accepted: accepted.length,
      reset: accepted.filter(({ error }) => error !== undefined).length,
      cut: accepted.filter(({ answers, error }) => error === undefined && answers.isCut).length,
      whole: accepted.reduce((sum, { answers }) => sum + answers.whole, 0),
      newcomersReset: others.length,
      refused: all.length - connected.length,
    };
  }

  /** A connection that received a byte, or ended before the signal, was accepted even without a report. */
  #isAccepted({ port, isEarly, answers }: Seen): boolean {
    return this.#accepted.has(port as number) || isEarly || answers.hasBegun;
  }

  #follow(socket: Socket): void {
    const seen: Seen = { port: undefined, error: undefined, isEarly: false, answers: new Answers() };
    const read = (chunk: Buffer): void => seen.answers.read(chunk);
    socket.once('connect', () => {
      if (socket.remotePort !== this.#port) {
        socket.off('data', read);
        return;
      }
      seen.port = socket.localPort;
      this.#seen.add(seen);
    });
    socket.on('data', read);
    socket.once('close', () => {
      seen.isEarly = !this.#hasSignalled;
    });
    socket.once('error', (error: NodeJS.ErrnoException & { readonly port?: number }) => {
      seen.error = error.code ?? error.message;
      if (seen.port === undefined && error.port === this.#port) this.#seen.add(seen);
    });
  }
}
