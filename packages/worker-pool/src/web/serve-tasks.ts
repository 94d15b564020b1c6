import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkOptions } from '@quiesce/internal';
import { type CallMessage, PORT, type Reply } from './calls.ts';
import { listen, listenForMessages, openChannel, type PortLike, workerThreads } from './ports.ts';
import { endedByReason } from './task-flags.ts';
import { type ThreadCall, threadTask } from './thread-task.ts';
import { wireReason, wireText } from './wire-reason.ts';

/** Options for `serveTasks`. */
export interface ServeTasksOptions<O = unknown> {
  /** Returns the objects of a result that are transferred to the caller instead of copied. */
  readonly transferList?: ((result: O) => readonly object[]) | undefined;
  /** Serves the `TaskWorker` at the other end of a port, in a `SharedWorker` or a frame. Default: the owner of this worker. */
  readonly port?: PortLike | undefined;
}

/** Whether the owner of this worker is served already. Its calls go to one function. */
let isServing = false;

/**
 * Runs `work` for each call of the `TaskWorker` that owns this Web Worker. In Node, a worker thread.
 *
 * **Timing.** Call it once, when the worker is ready: calls wait until then, also past a top-level `await`. Calls start in
 * their order, and run concurrently when `work` is asynchronous. A call that was cancelled before it started does not start,
 * if memory is shared.
 *
 * **Cancel safety.** The caller waits until `work` has settled, cleanup included. When that takes longer than its
 * `cleanupTimeout`, it terminates the worker, and cleanup that has not run is lost.
 *
 * @param work receives the input of `run`, and the token of the call
 * @param options `transferList`, `port`
 * @throws TypeError when `work` is not a function; Error when this is not a worker, or the second call without a `port`
 * @see `expose` of Comlink 4.4
 * @example
 * ```ts
 * import { serveTasks, TaskWorker } from '@quiesce/worker-pool/web';
 *
 * // In place of a worker: two ends of a channel.
 * const { port1, port2 } = new MessageChannel();
 * serveTasks((text: string) => text.toUpperCase(), { port: port2 });
 * await using worker = new TaskWorker(port1);
 * console.log(await worker.run('hello')); // => HELLO
 * ```
 */
export function serveTasks<I, O>(
  work: (input: I, token: CancellationToken) => O | PromiseLike<O>,
  options: ServeTasksOptions<NoInfer<O>> = {},
): void {
  checkFunction('serveTasks', work);
  checkOptions('serveTasks', options, ['transferList', 'port']);
  const { transferList = () => [], port } = options;
  checkFunction('serveTasks: transferList', transferList);
  if (port !== undefined) checkKind(typeof Object(port).postMessage === 'function', 'serveTasks: port', 'a port', port);
  const owner = port === undefined ? ownerOfThis() : (port as Owner);
  const task = threadTask(work);
  const { port1, port2 } = openChannel();
  const reply = (id: number, message: Reply, transfer: readonly object[] = []): void =>
    port1.postMessage({ ...message, id }, transfer as Transferable[]);
  const answer = async ({ id, call }: CallMessage): Promise<void> => {
    const { flags } = call.token;
    try {
      const value = await task(call as ThreadCall<I>);
      reply(id, { status: 'fulfilled', value }, transferList(value));
    } catch (error) {
      const status = endedByReason(flags) ? 'cancelled' : 'rejected';
      try {
        reply(id, { status, reason: wireReason(error) });
      } catch {
        reply(id, { status, reason: wireText(error) });
      }
    }
  };
  listenForMessages(port1, (message) => void answer(message));
  // The owner sees the closed port. The event does not name the lost call.
  listen(port1, 'messageerror', () => port1.close());
  owner.postMessage({ [PORT]: port2 }, [port2]);
}

/** Returns the object that sends messages to the owner of this worker. */
function ownerOfThis(): Owner {
  const owner = findOwner();
  if (owner === undefined) {
    throw new Error(
      'serveTasks: this is not a Web Worker with one owner, nor a worker thread; in a SharedWorker or a frame, pass { port }',
    );
  }
  if (isServing) throw new Error('serveTasks: the owner of this worker is served already; call it once');
  isServing = true;
  return owner;
}

interface Owner {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

function findOwner(): Owner | undefined {
  const { WorkerGlobalScope, postMessage } = globalThis as {
    WorkerGlobalScope?: new () => object;
    postMessage?: unknown;
  };
  const isWorker = WorkerGlobalScope !== undefined && globalThis instanceof WorkerGlobalScope;
  if (isWorker && postMessage !== undefined) return globalThis as unknown as Owner;
  // Bun has no class of the scope, and `postMessage` everywhere.
  return workerThreads?.parentPort ?? undefined;
}
