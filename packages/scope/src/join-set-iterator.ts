import { CancellationToken, consumeSlice, type Source, untilCancelled, wait } from '@quiesce/cancellation-token';
import { defineDispose } from '@quiesce/internal';

/** The end of an iteration. */
const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Iterates until `next` gives `undefined`. A class, since `return` of a generator waits for the `next()` that is pending. */
export class JoinSetIterator<T> implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineDispose(JoinSetIterator, 'return', 'asyncDispose');
  readonly #next: () => Source<T | undefined>;
  /** Cancelled by the end. */
  readonly #ended: CancellationToken = new CancellationToken();
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(next: () => Source<T | undefined>) {
    this.#next = next;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    // For a loop over tasks that compute.
    void consumeSlice();
    const outcome = await wait(untilCancelled(this.#ended, this.#next()));
    if (!outcome.cancelled && outcome.value !== undefined) return { done: false, value: outcome.value };
    this.#ended.cancel('the end');
    return done;
  }

  /** Ends the iteration. A `next()` that waits ends, too, and has taken nothing. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#ended.cancel('the end');
    return done;
  }

  /** Ends the iteration as `return` does, and fails: `yield*` passes an error on this way. */
  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
