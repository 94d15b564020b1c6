import type threads from 'node:worker_threads';

const host = (globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> }).process;

/** Node's, asked for here and nowhere else, so that elsewhere one reads a sentence instead of a resolver's complaint. */
const workerThreads: typeof threads | undefined = host?.getBuiltinModule?.('node:worker_threads');

// workerd has the function without the modules; in Deno a message comes later, and the reason of a token with it. Not always
// there: what loads on one day must not refuse on the next.
if (workerThreads === undefined || 'Deno' in globalThis || !arrivesAtOnce(workerThreads)) {
  throw new Error(
    '@quiesce/worker-pool/node reaches into worker threads and child processes of Node: it needs Node 20.19 or later, or a ' +
      'runtime whose node:worker_threads has a port tell of a message as soon as it was posted. The pools of ' +
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

/** Node's own: its ports can be asked for a message, and do not hold the process. */
export const MessageChannel: typeof threads.MessageChannel = workerThreads.MessageChannel;

/** Takes a message that has arrived, without a turn of the event loop. */
export const receiveMessageOnPort: typeof threads.receiveMessageOnPort = workerThreads.receiveMessageOnPort;
