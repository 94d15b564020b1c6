/**
 * A worker that runs calls for its owner.
 *
 *     starting ──its port arrives──► serving ──► shut down │ failed
 *
 * 1. A call waits in the owner until the port has arrived. Cancelled before, it is never sent.
 * 2. Each call is in `#calls` from `run` until it is replied to, withdrawn, given up, or the worker fails.
 * 3. Once `#ended` is set, no call is added, and the worker is terminated as soon as `#calls` is empty.
 * 4. A failure rejects at least one call, or else `shutdown`.
 */

import { CancellationToken, CancelledError, type Clock, ClosedError, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, defineHandle } from '@quiesce/internal';
import { PORT, type ReplyMessage } from './calls.ts';
import { WorkerFailedError } from './errors.ts';
import { listen, listenForMessages, type PortLike, unref } from './ports.ts';
import { runTask } from './run-task.ts';
import type { TokenLink } from './share-token.ts';
import { enter, isGivenUp, isShared, markEnded } from './task-flags.ts';
import { unwireReason } from './wire-reason.ts';

/** The part of a Web Worker, or of a worker thread of Node, that `TaskWorker` uses. */
export interface WorkerLike {
  /** Sends a message. `TaskWorker` sends its own through a port. */
  postMessage(message: unknown): void;
  /** Ends the worker at once. */
  terminate(): unknown;
}

/** Options for a new `TaskWorker`. */
export interface TaskWorkerOptions {
  /** Name shown in errors. Default: `worker`. */
  readonly name?: string | undefined;
  /** How many milliseconds, 0 to `Infinity`, a cancelled call may take to stop. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** The clock for time limits. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** Options for a call. */
export interface RunInWorkerOptions {
  /** Cancels the call. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Objects of the input that are transferred to the worker instead of copied. */
  readonly transferList?: readonly object[] | undefined;
}

/**
 * The events after which no reply may come, with their texts. Node emits `exit` for a worker, and Bun `close`. Ports emit
 * `close` in Node, Bun and Chromium.
 */
const ENDS: Readonly<Record<string, string>> = {
  close: 'it was closed',
  exit: 'it was closed',
  messageerror: 'one of its messages cannot be read',
};

/** A call that has not ended. */
interface PendingCall {
  readonly flags: Int32Array;
  send(port: MessagePort): void;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Owns a Web Worker, and runs calls in it that can be cancelled. Its file calls `serveTasks`.
 *
 * It also takes a worker thread of Node, and a port to a `SharedWorker` or a frame. It cannot end what a port leads to, so it
 * only closes the port.
 *
 * **When to use it.** For work that computes for so long that a page would freeze. `runInPool` of `@quiesce/worker-pool/node`
 * runs work in a pool of threads of Node. For several workers, lend them: `create` of a `ResourcePool` returns a new
 * `TaskWorker`, `isUsable` reads `isClosed`, and `close` calls `shutdown`.
 *
 * **Timing.** Create it in the same step as the worker, or the worker's first message is lost.
 *
 * **Cancel safety.** When its `signal` is cancelled, a call sees that at its next `token.isCancelled`: see `shareToken`. The
 * call is awaited. When it has not stopped after `cleanupTimeout`, the worker is terminated, and its other calls fail.
 *
 * @see `Worker` of the HTML Standard; Comlink 4.4, which does not end a worker
 * @example
 * ```ts
 * import { serveTasks, TaskWorker } from '@quiesce/worker-pool/web';
 *
 * // In a page: new TaskWorker(new Worker(new URL('./count.js', import.meta.url), { type: 'module' })),
 * // and count.js calls serveTasks. Here, two ends of a channel.
 * const { port1, port2 } = new MessageChannel();
 * serveTasks(
 *   async (limit: number, token) => {
 *     let n = 0;
 *     for (; n < limit; n++) await checkpoint(token);
 *     return n;
 *   },
 *   { port: port2 },
 * );
 *
 * await using worker = new TaskWorker(port1);
 * console.log(await worker.run(3)); // => 3
 * const signal = CancellationToken.timeout(20);
 * await worker.run(1e9, { signal }).catch((error) => console.log(error.name)); // => TimeoutError
 * ```
 */
export class TaskWorker implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(TaskWorker, {
    name: 'worker',
    owns: (value) => #calls in value,
    asyncDispose: 'shutdown',
    facts: ({ name, inFlightCount, isClosed }) => ({ name, inFlightCount, isClosed }),
  });
  /** The name given, or `worker`. */
  readonly name: string;
  readonly #worker: Partial<WorkerLike & PortLike>;
  readonly #cleanupTimeout: number;
  readonly #clock: Clock;
  /** Cancels every call when the worker is shut down. */
  readonly #stop = new CancellationToken();
  /** Invariant 2. */
  readonly #calls = new Map<number, PendingCall>();
  /** The calls of `run` that have not ended. */
  readonly #results = new Set<Promise<unknown>>();
  #lastId = 0;
  /** The port of the calls, or `undefined` while the worker starts. */
  #port: MessagePort | undefined = undefined;
  /** Removes all listeners. */
  #unlisten: (() => void)[] = [];
  /** The error of further calls. Set by `shutdown`, or when the worker fails. */
  #ended: Error | undefined = undefined;
  /** A failure that no call has been rejected with. */
  #unseen: Error | undefined = undefined;
  /** Whether the worker was ended. */
  #isTerminated = false;
  /** The end of the worker. Set by the first `shutdown`. */
  #shutdown: Promise<void> | undefined = undefined;
  /** The same as `shutdown`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Takes over a worker.
   *
   * @param worker a new `Worker`, or a port
   * @param options `name`, `cleanupTimeout` (ms), `clock`
   * @throws TypeError when `worker` is neither, or an option has the wrong type; RangeError for a time out of range
   */
  constructor(worker: WorkerLike | PortLike, options: TaskWorkerOptions = {}) {
    checkOptions('new TaskWorker', options, ['name', 'cleanupTimeout', 'clock']);
    const { postMessage, terminate, close } = Object(worker) as Partial<WorkerLike & PortLike>;
    const isWorker = typeof postMessage === 'function' && typeof (terminate ?? close) === 'function';
    checkKind(isWorker, 'new TaskWorker', 'a Worker or a MessagePort', worker);
    this.name = options.name ?? 'worker';
    this.#worker = worker;
    this.#cleanupTimeout = options.cleanupTimeout ?? 1_000;
    this.#clock = options.clock ?? systemClock;
    this.#unlisten = [
      listenForMessages(worker, (message) => {
        const port = (message as { [PORT]?: MessagePort } | null)?.[PORT];
        if (port !== undefined && this.#port === undefined) this.#serve(port);
      }),
      listen(worker, 'error', (event) => this.#onError(event as Partial<ErrorEvent>)),
      ...this.#onClose(worker),
    ];
  }

  /** The number of calls that have not ended. */
  get inFlightCount(): number {
    return this.#results.size;
  }

  /** Whether the worker takes no further calls: it was shut down, or has failed. */
  get isClosed(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Runs the function of the worker, which it has passed to `serveTasks`.
   *
   * **Timing.** While the worker starts, the call waits. Cancelled then, it is never sent.
   *
   * **Cancel safety.** A value that the work still returns after its cancellation is the result.
   *
   * @param input the input of the work; it is cloned, or transferred
   * @param options `signal`, `transferList`
   * @returns the result of the work, cloned or transferred
   * @throws (rejects) the error of the work; the reason when the call was cancelled and stopped; WorkerEndedError when it did
   *   not stop; WorkerFailedError when the worker died; ClosedError after `shutdown`
   */
  async run<O = unknown>(input: unknown, options: RunInWorkerOptions = {}): Promise<O> {
    checkOptions('run', options, ['signal', 'transferList']);
    const { signal, transferList = [] } = options;
    checkKind(Array.isArray(transferList), 'run: transferList', 'a list', transferList);
    const own = signal === undefined ? CancellationToken.never : CancellationToken.from(signal, 'run: signal');
    if (this.#ended !== undefined) throw this.#failed(this.#ended);
    const token = CancellationToken.any([own, this.#stop]);
    const result = runTask({
      what: `Work in worker ${JSON.stringify(this.name)}`,
      token,
      cleanupTimeout: this.#cleanupTimeout,
      clock: this.#clock,
      // A port may lead to another page, which refuses shared memory.
      sharedMemory: this.#worker.terminate !== undefined,
      send: (shared, ended) => this.#send(input, shared, transferList, ended),
    });
    this.#results.add(result);
    try {
      return (await result) as O;
    } finally {
      this.#results.delete(result);
      token.dispose();
    }
  }

  #send(
    input: unknown,
    shared: TokenLink['shared'],
    transferList: readonly object[],
    ended: AbortSignal,
  ): Promise<unknown> {
    const { flags } = shared;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const call: PendingCall = {
        flags,
        resolve,
        reject,
        send: (port) => {
          try {
            port.postMessage({ id, call: { input, token: shared } }, [...transferList, shared.port] as Transferable[]);
            // Where memory is not shared, the worker cannot say that it has started.
            if (!isShared(flags)) enter(flags);
          } catch (error) {
            this.#calls.delete(id);
            reject(error);
          }
        },
      };
      this.#calls.set(id, call);
      ended.addEventListener('abort', () => {
        this.#calls.delete(id);
        reject(ended.reason);
        if (!isGivenUp(flags)) return;
        this.#fail('it was terminated, because a call did not stop');
        // The call that did not stop rejects with an error of its own.
        this.#unseen = undefined;
      });
      if (this.#port !== undefined) call.send(this.#port);
    });
  }

  /**
   * Cancels all calls, awaits them, and terminates the worker. A call that does not stop is given up after `cleanupTimeout`.
   * Idempotent.
   *
   * @throws (rejects) WorkerFailedError when the worker has died and no call was rejected with that error
   */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#end();
    return this.#shutdown;
  }

  async #end(): Promise<void> {
    const name = JSON.stringify(this.name);
    this.#ended ??= new ClosedError(`run: worker ${name} is shut down`);
    this.#stop.cancel(new CancelledError(`Worker ${name} is shut down`));
    await Promise.allSettled(this.#results);
    await this.#terminate();
    if (this.#unseen !== undefined) throw this.#failed(this.#unseen);
  }

  #serve(port: MessagePort): void {
    this.#port = port;
    this.#unlisten.push(
      listenForMessages(port, (message) => this.#onReply(message)),
      ...this.#onClose(port),
    );
    // The worker holds the process, as long as its owner wants it to.
    unref(port);
    for (const call of [...this.#calls.values()]) call.send(port);
  }

  #onReply(reply: ReplyMessage): void {
    const call = this.#calls.get(reply.id);
    // Withdrawn or given up.
    if (call === undefined) return;
    this.#calls.delete(reply.id);
    // Has an effect where memory is not shared: otherwise the worker has done it.
    markEnded(call.flags, reply.status === 'cancelled');
    if (reply.status === 'fulfilled') call.resolve(reply.value);
    else call.reject(unwireReason(reply.reason));
  }

  /** An error of a worker that nothing has caught, or of its file. Node emits the error, a browser an event with its text. */
  #onError(event: Partial<ErrorEvent>): void {
    handleError(event);
    const cause = event instanceof Error ? event : (event.error ?? undefined);
    const why = event.message || 'its file could not be loaded';
    this.#fail(why, cause === undefined ? undefined : { cause });
  }

  #onClose(target: object): (() => void)[] {
    return Object.entries(ENDS).map(([type, why]) => listen(target, type, () => this.#fail(why)));
  }

  /** Ends the worker, and rejects the calls that are left. */
  #fail(why: string, options?: ErrorOptions): void {
    if (this.#isTerminated) return;
    const error = new WorkerFailedError(this.name, why, options);
    this.#ended ??= this.#unseen = error;
    for (const call of this.#calls.values()) call.reject(this.#failed(error));
    this.#calls.clear();
    void this.#terminate();
  }

  /** Marks a failure as seen. */
  #failed(error: Error): Error {
    if (error === this.#unseen) this.#unseen = undefined;
    return error;
  }

  async #terminate(): Promise<void> {
    this.#isTerminated = true;
    for (const unlisten of this.#unlisten) unlisten();
    this.#unlisten = [];
    this.#port?.close();
    if (this.#worker.terminate === undefined) return this.#worker.close?.();
    // Node emits the error of a worker also while it terminates.
    const unlisten = listen(this.#worker, 'error', handleError);
    try {
      await this.#worker.terminate();
    } finally {
      unlisten();
    }
  }
}

/** A worker whose error is handled here must not end the program of its owner, as in Deno. */
function handleError(event: unknown): void {
  (event as Partial<ErrorEvent>).preventDefault?.();
}
