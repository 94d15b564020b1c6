import { CancellationToken, PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { checkOptions, defineHandle, misused } from '@quiesce/internal';
import { isEndOfStream, RecvWaiter } from './recv-waiter.ts';
import { failed, fulfilled } from './settle.ts';
import { withLimits } from './wait-options.ts';

/** Options for an iteration. */
export interface ValuesOptions {
  /** Ends the iteration: the `next()` that waits rejects with the reason, and so does each later one. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** Iterates over the values of a stream until it is closed. Leaving the loop does not affect the stream. */
export class ReceiverIterator<T> implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ReceiverIterator, {
    name: 'iterator',
    owns: (value) => #isDone in value,
    asyncDispose: 'return',
    unguarded: ['next', 'poll'],
    facts: (values) => ({ isDone: values.#isDone }),
  });
  readonly #protocol: SourceProtocol<T>;
  /** The signal that ends the iteration, or `undefined`. */
  readonly #signal: SourceProtocol<unknown> | undefined;
  readonly #waiter: RecvWaiter;
  /** The waiters of each `next()` that is called while another one waits; made on first use. */
  #extraWaiters: Set<RecvWaiter> | undefined = undefined;
  /** Set by `return`: nothing more is taken. */
  #isDone = false;
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(protocol: SourceProtocol<T>, options?: ValuesOptions) {
    checkOptions('values', options, ['signal']);
    const signal = options?.signal;
    const token = signal === undefined ? undefined : CancellationToken.from(signal, 'values: signal');
    this.#protocol = token === undefined ? protocol : withLimits(protocol, { signal: token }, 'values');
    this.#signal = token?.[source];
    this.#waiter = new RecvWaiter(this.#protocol, true, this.#signal);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!(#isDone in Object(this))) throw misused(ReceiverIterator.prototype, 'iterator', 'next', this);
    if (this.#isDone) return fulfilled({ done: true, value: undefined });
    try {
      const value = this.#protocol.poll();
      if (value !== PENDING) return fulfilled({ done: false, value });
    } catch (error) {
      return isEndOfStream(error, this.#signal) ? fulfilled({ done: true, value: undefined }) : failed(error);
    }
    return this.#idleWaiter().start() as Promise<IteratorResult<T, undefined>>;
  }

  /** Ends the iteration and each `next()` that waits. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true;
    if (this.#waiter.resolve !== undefined) this.#waiter.endIteration();
    for (const waiter of this.#extraWaiters ?? []) waiter.endIteration();
    return fulfilled({ done: true, value: undefined });
  }

  /** Ends the iteration as `return` does, and rejects. `yield*` passes an error on in this way. */
  throw(error?: unknown): Promise<never> {
    return this.return().then(() => Promise.reject(error));
  }

  /** Returns a waiter with no wait in progress. */
  #idleWaiter(): RecvWaiter {
    if (this.#waiter.resolve === undefined) return this.#waiter;
    this.#extraWaiters ??= new Set();
    const waiter = new RecvWaiter(this.#protocol, true, this.#signal, this.#extraWaiters);
    this.#extraWaiters.add(waiter);
    return waiter;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
