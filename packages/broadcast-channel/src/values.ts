import { PENDING, type Waiter } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';
import type { Cursor } from './cursor.ts';
import { LaggedError } from './errors.ts';
import { finish, receive, type Taker } from './receive.ts';

/** What an iteration does when values were missed. */
export type OnLag = 'throw' | 'skip' | ((missed: number) => void);

/** How an iteration goes. */
export interface ValuesOptions {
  /** What to do when values were missed; default `'throw'`. A function is called inside `next`. */
  readonly onLag?: OnLag | undefined;
}

type Result<T> = IteratorResult<T, undefined>;

/** The values of a receiver, one after the other. */
export class Values<T> implements AsyncIterableIterator<T, undefined, undefined>, Taker<Result<T>> {
  readonly #cursor: Cursor<T>;
  readonly #onLag: OnLag;
  /** @internal Its receives that do not wait in the slot. */
  readonly waiting: Set<Waiter> = new Set();
  /** Set by `return`: nothing more is received. */
  #isDone = false;

  constructor(cursor: Cursor<T>, onLag: OnLag) {
    if (onLag !== 'throw' && onLag !== 'skip' && typeof onLag !== 'function') {
      throw new TypeError(`values: onLag must be 'throw', 'skip' or a function, got ${show(onLag)}`);
    }
    this.#cursor = cursor;
    this.#onLag = onLag;
  }

  next(): Promise<Result<T>> {
    if (this.#isDone) return this.return();
    const cursor = this.#cursor;
    return cursor.isFree ? cursor.next(this) : receive(cursor, this);
  }

  /** Ends the iteration, also where it waits; the receiver stays open. */
  return(): Promise<Result<T>> {
    this.#isDone = true;
    finish(this.#cursor, this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** @internal Takes the next result. */
  poll(): Result<T> | typeof PENDING {
    const cursor = this.#cursor;
    const onLag = this.#onLag;
    // What is called may end the iteration, or send so much that more is missed.
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
