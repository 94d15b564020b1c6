import { workerThreads } from '../web/ports.ts';

/**
 * Returns a value of this module where it works, and throws elsewhere. A call, because a bundler drops an import without a
 * value. Whether the module loads must not depend on chance, so it refuses a runtime in which a message may arrive later.
 */
export function needingThreads<T>(value: T): T {
  if (workerThreads !== undefined) return value;
  throw new Error(
    '@quiesce/worker-pool/node uses worker threads and child processes of Node: it needs Node 20.19 or later, or a ' +
      'runtime whose receiveMessageOnPort of node:worker_threads returns a message as soon as it was posted. The pools of ' +
      '@quiesce/worker-pool run everywhere, and so does @quiesce/worker-pool/web.',
  );
}
