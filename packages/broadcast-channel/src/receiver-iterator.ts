import { CancellationToken, PENDING, type Waiter } from '@quiesce/cancellation-token';
import { checkOptions, defineHandle, misused, show } from '@quiesce/internal';
import type { Cursor } from './cursor.ts';
import { LaggedError } from './errors.ts';
import { endReceives, type ReceiveStrategy, receiveNext } from './receive.ts';

/** Reaction of an iteration to missed values: throw, skip, or call a function with their number. */
export type OnLag = 'throw' | 'skip' | ((missed: number) => void);

/** Options for an iteration. */
export interface BroadcastValuesOptions {
  /** Reaction to missed values; default `'throw'`. A function is called inside `next`. */
  readonly onLag?: OnLag | undefined;
  /** Ends the iteration: the `next()` that waits rejects with the reason, and so does each later one. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

type Result<T> = IteratorResult<T, undefined>;

/** Iterates over the values of a receiver. */
export class ReceiverIterator<T>
  implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable, ReceiveStrategy<Result<T>>
{
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ReceiverIterator, {
    name: 'iterator',
    owns: (value) => #isDone in value,
    asyncDispose: 'return',
    unguarded: ['next', 'poll'],
    facts: (values) => ({ isDone: values.#isDone }),
  });
  readonly #cursor: Cursor<T>;
  readonly #onLag: OnLag;
  /** @internal The receives that do not wait in the slot. */
  readonly waiting: Set<Waiter> = new Set();
  readonly #token: CancellationToken | undefined;
  /** Set by `return`: nothing more is received. */
  #isDone = false;
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(cursor: Cursor<T>, options?: BroadcastValuesOptions) {
    checkOptions('values', options, ['onLag', 'signal']);
    const { onLag = 'throw', signal } = options ?? {};
    if (onLag !== 'throw' && onLag !== 'skip' && typeof onLag !== 'function') {
      throw new TypeError(`values: onLag must be 'throw', 'skip' or a function, got ${show(onLag)}`);
    }
    this.#cursor = cursor;
    this.#onLag = onLag;
    this.#token = signal === undefined ? undefined : CancellationToken.from(signal, 'values: signal');
  }

  next(): Promise<Result<T>> {
    if (!(#isDone in Object(this))) throw misused(ReceiverIterator.prototype, 'iterator', 'next', this);
    if (this.#isDone) return this.return();
    const cursor = this.#cursor;
    const token = this.#token;
    return token === undefined && cursor.isFree ? cursor.nextInSlot(this) : receiveNext(cursor, this, token);
  }

  /** Ends the iteration and each `next()` that waits. The receiver stays open. */
  return(): Promise<Result<T>> {
    this.#isDone = true;
    endReceives(this.#cursor, this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the iteration as `return` does, and rejects. `yield*` passes an error on in this way. */
  throw(error?: unknown): Promise<never> {
    return this.return().then(() => Promise.reject(error));
  }

  /** @internal Takes the next result. */
  poll(): Result<T> | typeof PENDING {
    const cursor = this.#cursor;
    const onLag = this.#onLag;
    // The callback may end the iteration, or send so many values that more are missed.
    while (!this.#isDone && !cursor.isEnded) {
      const missed = cursor.catchUp();
      if (missed === 0) return cursor.isEmpty ? PENDING : { done: false, value: cursor.take() };
      if (onLag === 'throw') throw new LaggedError(missed);
      if (onLag !== 'skip') onLag(missed);
    }
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
