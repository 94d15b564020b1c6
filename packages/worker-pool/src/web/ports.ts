// The differences between ports and workers of browsers, Deno and Bun, and those of Node.

/** The part of a `MessagePort` that links use. */
export interface PortLike {
  /** Sends a message. */
  postMessage(message: unknown): void;
  /** Closes both ends. */
  close(): void;
}

/** The platform's own class, where the program knows its type. */
type PortIn<G> = G extends { MessagePort: { prototype: infer P extends PortLike } } ? P : PortLike;

/** A `MessagePort` of the platform that the program is compiled for. */
export type PlatformPort = PortIn<typeof globalThis>;

/** The part of `node:worker_threads` that this package uses. */
interface WorkerThreads {
  readonly parentPort: { postMessage(message: unknown, transfer: readonly object[]): void } | null;
  readonly MessageChannel: new () => { readonly port1: MessagePort; readonly port2: MessagePort };
  receiveMessageOnPort(port: PortLike): { readonly message: unknown } | undefined;
}

/** Worker threads of Node, or `undefined` where a posted message cannot be received at once. */
export const workerThreads: WorkerThreads | undefined = /* @__PURE__ */ findWorkerThreads();

function findWorkerThreads(): WorkerThreads | undefined {
  // In Deno a message sometimes arrives later. workerd has the function without the modules.
  if ('Deno' in globalThis) return undefined;
  const host = globalThis as unknown as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = host.process?.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined;
  return threads !== undefined && arrivesAtOnce(threads) ? threads : undefined;
}

function arrivesAtOnce({ MessageChannel, receiveMessageOnPort }: WorkerThreads): boolean {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(undefined);
    return receiveMessageOnPort(port2) !== undefined;
  } finally {
    port1.close();
    port2.close();
  }
}

/** Makes two connected ports. Those of Node can be polled for a message. */
export function openChannel(): { readonly port1: MessagePort; readonly port2: MessagePort } {
  const Channel = workerThreads?.MessageChannel ?? MessageChannel;
  return new Channel();
}

/** Lets the process or thread end while the port is open. Only Node has the method. */
export function unref(port: object): void {
  (port as { unref?(): void }).unref?.();
}

/** The targets of events: of the DOM, or emitters of Node. */
interface Target {
  addEventListener?(type: string, listener: (event: never) => void): void;
  removeEventListener?(type: string, listener: (event: never) => void): void;
  on?(type: string, listener: (event: never) => void): void;
  off?(type: string, listener: (event: never) => void): void;
}

/** Adds a listener to a port or worker, and returns the function that removes it. */
export function listen(target: object, type: string, listener: (event: unknown) => void): () => void {
  const { addEventListener, on } = target as Target;
  if (addEventListener === undefined) {
    on?.call(target, type, listener);
    return () => (target as Target).off?.(type, listener);
  }
  addEventListener.call(target, type, listener);
  return () => (target as Target).removeEventListener?.(type, listener);
}

/** Adds a listener for messages, and starts a port. Workers of Node emit the message itself, all others an event. */
export function listenForMessages(target: object, listener: (message: never) => void): () => void {
  const isEmitter = !('addEventListener' in target);
  const unlisten = listen(target, 'message', (event) =>
    listener((isEmitter ? event : (event as { data: unknown }).data) as never),
  );
  (target as { start?(): void }).start?.();
  return unlisten;
}
