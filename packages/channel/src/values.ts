import { isClosedError, PENDING, type SourceProtocol } from '@quiesce/cancellation-token';
import { Pause } from './pause.ts';
import { failed, fulfilled } from './settle.ts';

/** The values of a stream, one after the other, until it is closed; leaving the loop leaves the stream as it is. */
export class Values<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #protocol: SourceProtocol<T>;
  readonly #pause: Pause;
  /** Those of a `next()` that was called while another one waits; made when first needed. */
  #more: Set<Pause> | undefined = undefined;
  /** Set by `return`: nothing more is taken. */
  #isDone = false;

  constructor(protocol: SourceProtocol<T>) {
    this.#protocol = protocol;
    this.#pause = new Pause(protocol, true);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isDone) return fulfilled({ done: true, value: undefined });
    try {
      const value = this.#protocol.poll();
      if (value !== PENDING) return fulfilled({ done: false, value });
    } catch (error) {
      return isClosedError(error) ? fulfilled({ done: true, value: undefined }) : failed(error);
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

  /** A pause in which nobody waits. */
  #free(): Pause {
    if (this.#pause.resolve === undefined) return this.#pause;
    this.#more ??= new Set();
    const pause = new Pause(this.#protocol, true, this.#more);
    this.#more.add(pause);
    return pause;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
