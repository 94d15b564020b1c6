import { CancellationToken, PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { checkOptions, defineHandle, misused } from '@quiesce/internal';
import { limited } from './limited.ts';
import { isEnd, Pause } from './pause.ts';
import { failed, fulfilled } from './settle.ts';

/** How an iteration goes. */
export interface ValuesOptions {
  /** Ends the iteration: the `next()` that waits, and each later one, rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** The values of a stream, one after the other, until it is closed; leaving the loop leaves the stream as it is. */
export class Values<T> implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Values, {
    name: 'iterator',
    owns: (value) => #isDone in value,
    asyncDispose: 'return',
    unguarded: ['next', 'poll'],
    facts: (values) => ({ isDone: values.#isDone }),
  });
  readonly #protocol: SourceProtocol<T>;
  /** The signal that ends it, if one does. */
  readonly #gate: SourceProtocol<unknown> | undefined;
  readonly #pause: Pause;
  /** Those of a `next()` that was called while another one waits; made when first needed. */
  #more: Set<Pause> | undefined = undefined;
  /** Set by `return`: nothing more is taken. */
  #isDone = false;
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(protocol: SourceProtocol<T>, options?: ValuesOptions) {
    checkOptions('values', options, ['signal']);
    const signal = options?.signal;
    const token = signal === undefined ? undefined : CancellationToken.from(signal, 'values: signal');
    this.#protocol = token === undefined ? protocol : limited(protocol, { signal: token }, 'values');
    this.#gate = token?.[source];
    this.#pause = new Pause(this.#protocol, true, this.#gate);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!(#isDone in Object(this))) throw misused(Values.prototype, 'iterator', 'next', this);
    if (this.#isDone) return fulfilled({ done: true, value: undefined });
    try {
      const value = this.#protocol.poll();
      if (value !== PENDING) return fulfilled({ done: false, value });
    } catch (error) {
      return isEnd(error, this.#gate) ? fulfilled({ done: true, value: undefined }) : failed(error);
    }
    return this.#free().start() as Promise<IteratorResult<T, undefined>>;
  }

  /** Ends the iteration, also one that waits. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true;
    if (this.#pause.resolve !== undefined) this.#pause.stop();
    for (const pause of this.#more ?? []) pause.stop();
    return fulfilled({ done: true, value: undefined });
  }

  /** Ends the iteration as `return` does, and fails: `yield*` passes an error on this way. */
  throw(error?: unknown): Promise<never> {
    return this.return().then(() => Promise.reject(error));
  }

  /** A pause in which nobody waits. */
  #free(): Pause {
    if (this.#pause.resolve === undefined) return this.#pause;
    this.#more ??= new Set();
    const pause = new Pause(this.#protocol, true, this.#gate, this.#more);
    this.#more.add(pause);
    return pause;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
