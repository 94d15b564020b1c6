import { consumeSlice, PENDING, type Source, type Waiter, wait } from '@quiesce/cancellation-token';
import { defineHandle, parkOn, unparkFrom } from '@quiesce/internal';
import type { Joined, JoinSet } from './join-set.ts';

/**
 * The result of `joinNext`. You can await it, and use it as a `select` branch.
 *
 * As a branch of `selectEach` it gives one task after the other. When the set becomes empty, it gives `undefined` once and is
 * then off.
 *
 * @example
 * ```ts
 * await using set = new JoinSet<string>();
 * set.spawn(async () => 'done');
 * const next = await select({ joined: set.joinNext(), tick: sleep(60_000) });
 * if (next.branch === 'joined') console.log(next.value?.status); // => fulfilled
 * ```
 */
export class JoinNext<T> implements PromiseLike<Joined<T> | undefined> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(JoinNext, {
    name: 'wait',
    owns: (value) => #set in value,
    source: (wait) => wait,
    unguarded: ['then', 'poll', 'park', 'unpark'],
    facts: (wait) => ({ name: wait.#set.name, length: wait.#set.length }),
  });
  readonly #set: JoinSet<T>;
  /** @internal Set when a poll finds the set empty, which ends the stream. */
  once?: true;

  /** @internal */
  constructor(set: JoinSet<T>) {
    this.#set = set;
  }

  /** Called by `await`. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = Joined<T> | undefined, B = never>(
    onFulfilled?: ((value: Joined<T> | undefined) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    // Lets the event loop run in a loop over tasks that compute. `wait` alone counts completions only.
    void consumeSlice();
    return wait(this).then(onFulfilled, onRejected);
  }

  /** @internal */
  poll(): Joined<T> | undefined | typeof PENDING {
    if (this.#set.isEmpty) {
      this.once = true;
      return undefined;
    }
    if (this.once) delete this.once;
    const next = this.#set.tryJoinNext();
    return next.ok ? next.value : PENDING;
  }

  /** @internal */
  park(waiter: Waiter): void {
    parkOn(this.#set, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    unparkFrom(this.#set, waiter);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface JoinNext<T> extends Source<Joined<T> | undefined> {}
