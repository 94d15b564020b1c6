// What became of each connection of the load, at the socket. autocannon counts errors and answers; it does not say whether a
// connection that was reset had been accepted, nor whether an answer broke off. Node tells of every socket that this process
// opens, so we look over its shoulder.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Answers } from './answers.ts';

/** What became of the connections, counted. */
export interface Counts {
  /** The service had accepted them: it says so, or they have got something from it, or were over before it was told to stop. */
  readonly accepted: number;
  /** Of those: ended by a reset, or anything else than an end in good order. */
  readonly reset: number;
  /** Of those: ended in good order, but in the middle of an answer, or while a request waited for one. */
  readonly cut: number;
  /** Answers that came whole. */
  readonly whole: number;
  /** Connections that only the system had accepted, and reset without a byte after the signal, when the listener closed. */
  readonly newcomersReset: number;
  /** Attempts that the system refused. */
  readonly refused: number;
}

interface Seen {
  /** Our end; `undefined`: it never was connected. */
  port: number | undefined;
  error: string | undefined;
  /** Whether it was over before the signal, when nobody had a reason to turn it away. */
  isEarly: boolean;
  readonly answers: Answers;
}

export class Census {
  readonly #port: number;
  readonly #seen: Set<Seen> = new Set();
  /** Whence the connections came that the service says it has accepted. */
  readonly #accepted: Set<number> = new Set();
  #hasSignalled = false;
  readonly #watch = (message: unknown): void => this.#born((message as { readonly socket: Socket }).socket);

  /** @param port of the service; connections from this process to it that are opened from now on are counted */
  constructor(port: number) {
    this.#port = port;
    subscribe('net.client.socket', this.#watch);
  }

  /** The service says that it has accepted a connection. */
  accepted(port: number): void {
    this.#accepted.add(port);
  }

  /** The service is told to stop: from now on it may turn newcomers away. */
  signalled(): void {
    this.#hasSignalled = true;
  }

  /** Counts no more of them. */
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

  /** Whatever the service says: of one that has got anything from it, or that it had no reason to turn away, it is clear. */
  #isAccepted({ port, isEarly, answers }: Seen): boolean {
    return this.#accepted.has(port as number) || isEarly || answers.hasBegun;
  }

  #born(socket: Socket): void {
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
