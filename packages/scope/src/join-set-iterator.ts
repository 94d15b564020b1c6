import { CancellationToken, consumeSlice, type Source, wait } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { defineDispose } from '@quiesce/internal';

/** The result after the last task. */
const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Iterates until `next` gives `undefined`. Not a generator, whose `return` waits for a pending `next()`. */
export class JoinSetIterator<T> implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineDispose(JoinSetIterator, 'return', 'asyncDispose');
  readonly #next: () => Source<T | undefined>;
  /** Cancelled when the iteration ends. */
  readonly #ended: CancellationToken = new CancellationToken();
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(next: () => Source<T | undefined>) {
    this.#next = next;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    // Lets the event loop run in a loop over tasks that compute.
    void consumeSlice();
    const outcome = await wait(untilCancelled(this.#ended, this.#next()));
    if (outcome.status === 'fulfilled' && outcome.value !== undefined) return { done: false, value: outcome.value };
    this.#ended.cancel('the end');
    return done;
  }

  /** Ends the iteration. A pending `next()` ends too, and takes no task. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#ended.cancel('the end');
    return done;
  }

  /** Ends the iteration as `return` does, and rejects with `error`: `yield*` calls it to pass on an error. */
  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
