import type threads from 'node:worker_threads';

const host = (globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> }).process;

/** The only access to `node:worker_threads`, so that other runtimes throw the sentence below instead of a resolver's error. */
const workerThreads: typeof threads | undefined = host?.getBuiltinModule?.('node:worker_threads');

// workerd has the function without the modules. In Deno a message, and with it the reason of a token, sometimes arrives
// later: whether this module loads must not depend on chance, so it always refuses there.
if (workerThreads === undefined || 'Deno' in globalThis || !arrivesAtOnce(workerThreads)) {
  throw new Error(
    '@quiesce/worker-pool/node uses worker threads and child processes of Node: it needs Node 20.19 or later, or a ' +
      'runtime whose receiveMessageOnPort of node:worker_threads returns a message as soon as it was posted. The pools of ' +
      '@quiesce/worker-pool run everywhere.',
  );
}

function arrivesAtOnce({ MessageChannel, receiveMessageOnPort }: typeof threads): boolean {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(undefined);
    return receiveMessageOnPort(port2) !== undefined;
  } finally {
    port1.close();
    port2.close();
  }
}

/** Node's own class: its ports can be polled for a message, and do not hold the process. */
export const MessageChannel: typeof threads.MessageChannel = workerThreads.MessageChannel;

/** Takes a message that has arrived, without waiting for the event loop. */
export const receiveMessageOnPort: typeof threads.receiveMessageOnPort = workerThreads.receiveMessageOnPort;
