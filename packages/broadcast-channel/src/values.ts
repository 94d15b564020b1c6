import { show } from '@quiesce/internal';
import { Receive } from './receive.ts';
import type { Cursor } from './ring.ts';

/** What an iteration does when values were missed. */
export type OnLag = 'throw' | 'skip' | ((missed: number) => void);

/** How an iteration goes. */
export interface ValuesOptions {
  /** What to do when values were missed; default `'throw'`. A function is called inside `next`. */
  readonly onLag?: OnLag | undefined;
}

/** The values of a receiver, one after the other. */
export class Values<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #receive: Receive<T>;
  /** Set by `return`: nothing more is received. */
  #isDone = false;

  constructor(cursor: Cursor<T>, onLag: OnLag) {
    if (onLag !== 'throw' && onLag !== 'skip' && typeof onLag !== 'function') {
      throw new TypeError(`values: onLag must be 'throw', 'skip' or a function, got ${show(onLag)}`);
    }
    this.#receive = new Receive(cursor, onLag);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isDone) return Promise.resolve({ done: true, value: undefined });
    if (!this.#receive.isIdle) {
      return Promise.reject(new TypeError('values: next() was called while another next() waits; await it first'));
    }
    return this.#receive.start() as Promise<IteratorResult<T, undefined>>;
  }

  /** Ends the iteration, also one that waits; the receiver stays open. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true;
    if (!this.#receive.isIdle) this.#receive.stop();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
