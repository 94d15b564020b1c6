// A proxy on this machine between a client and its server. It makes a network that fails.
import { createServer, connect as open, type Socket } from 'node:net';

export interface TestProxy {
  readonly port: number;
  /** How many connections are open. */
  readonly connectionCount: number;
  /** Ends all connections, and refuses new ones until `heal`. */
  cut(): void;
  /**
   * Forwards nothing more on the connections that are open, and never ends them, as a host does that has lost its power. New
   * connections work.
   */
  silence(): void;
  /** The same, and new connections are silent, too, until `heal`. */
  mute(): void;
  /** Stops forwarding from the server on open connections. The server still receives everything from the client. */
  deafen(): void;
  /** Forwards everything `ms` later, in order. 0: at once. */
  delay(ms: number): void;
  /** Lets new connections work, without a delay. Silent ones stay silent. */
  heal(): void;
  close(): Promise<void>;
}

/** Starts a proxy on this machine to a port of a host. */
export async function startProxy(target: number, host = '127.0.0.1'): Promise<TestProxy> {
  const pairs = new Set<Pair>();
  let isCut = false;
  let isMute = false;
  let delay = 0;
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const pair = new Pair(client, open(target, host), () => delay);
    pairs.add(pair);
    pair.onEnd = () => void pairs.delete(pair);
    pair.isSilent = isMute;
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const silence = (): void => {
    for (const pair of pairs) pair.isSilent = true;
  };
  const destroyAll = (): void => {
    for (const pair of [...pairs]) pair.destroy();
  };
  return {
    port,
    get connectionCount() {
      return pairs.size;
    },
    cut: () => {
      isCut = true;
      destroyAll();
    },
    silence,
    mute: () => {
      isMute = true;
      silence();
    },
    deafen: () => {
      for (const pair of pairs) pair.isDeaf = true;
    },
    delay: (ms) => {
      delay = ms;
    },
    heal: () => {
      isCut = isMute = false;
      delay = 0;
    },
    close: async () => {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A connection of a client, and the one to its server. */
class Pair {
  isSilent = false;
  /** Whether the client gets nothing more. */
  isDeaf = false;
  onEnd: () => void = () => {};
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(client: Socket, server: Socket, delayOf: () => number) {
    this.#client = client;
    this.#server = server;
    for (const [from, to] of [
      [client, this.#server],
      [this.#server, client],
    ] as const) {
      // What is sent later arrives later, also when the delay becomes shorter.
      let last = Promise.resolve();
      const inOrder = (act: () => void): void => {
        const wait = delayOf();
        const after = wait === 0 ? Promise.resolve() : new Promise((resolve) => void setTimeout(resolve, wait));
        const isLost = (): boolean => this.isSilent || (this.isDeaf && from === this.#server);
        last = last.then(() => after).then(() => void (isLost() || act()));
      };
      from.on('data', (chunk) => inOrder(() => void (to.destroyed || to.write(chunk))));
      from.on('end', () => inOrder(() => to.end()));
      from.on('error', () => inOrder(() => to.destroy()));
      from.on('close', () => this.#onClose(inOrder));
    }
    client.setNoDelay();
    this.#server.setNoDelay();
  }

  /** A silent connection stays open towards the other side. It is forgotten when both sides have closed. */
  #onClose(inOrder: (act: () => void) => void): void {
    if (this.#client.destroyed && this.#server.destroyed) this.onEnd();
    else inOrder(() => this.destroy());
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
    this.onEnd();
  }
}
