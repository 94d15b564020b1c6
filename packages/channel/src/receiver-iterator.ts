import { CancellationToken, PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { checkOptions, defineHandle, misused } from '@quiesce/internal';
import { isEndOfStream, RecvWaiter } from './recv-waiter.ts';
import { failed, fulfilled } from './settle.ts';
import { withLimits } from './wait-options.ts';

/** How an iteration goes. */
export interface ValuesOptions {
  /** Ends the iteration: the `next()` that waits, and each later one, rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** The values of a stream, one after the other, until it is closed; leaving the loop leaves the stream as it is. */
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
  /** The signal that ends it, if one does. */
  readonly #signal: SourceProtocol<unknown> | undefined;
  readonly #waiter: RecvWaiter;
  /** Those of a `next()` that was called while another one waits; made when first needed. */
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

  /** Ends the iteration, also one that waits. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true;
    if (this.#waiter.resolve !== undefined) this.#waiter.endIteration();
    for (const waiter of this.#extraWaiters ?? []) waiter.endIteration();
    return fulfilled({ done: true, value: undefined });
  }

  /** Ends the iteration as `return` does, and fails: `yield*` passes an error on this way. */
  throw(error?: unknown): Promise<never> {
    return this.return().then(() => Promise.reject(error));
  }

  /** A waiter in which nobody waits. */
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
