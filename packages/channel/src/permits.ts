import { defineHandle } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { Permit } from './permit.ts';

/**
 * Reserves room for several values in a channel, as an iterator of permits. Leaving the loop early releases the others.
 *
 * @see tokio::sync::mpsc::PermitIterator (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<number>(4);
 * let n = 0;
 * for (const permit of await tx.reserveMany(2)) permit.send(++n);
 * console.log(await rx.recvMany(4), tx.capacity); // => [ 1, 2 ] 4
 * ```
 */
export class Permits<T> implements IterableIterator<Permit<T>>, Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Permits, {
    name: 'permits',
    owns: (value) => #channel in value,
    dispose: 'release',
    facts: ({ length }) => ({ length }),
  });
  readonly #channel: ChannelState<T>;
  #length: number;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>, length: number) {
    this.#channel = channel;
    this.#length = length;
  }

  /** The number of permits that are left. */
  get length(): number {
    return this.#length;
  }

  /** Takes out the next permit, which is used or released separately. Synchronous. */
  next(): IteratorResult<Permit<T>, undefined> {
    if (this.#length === 0) return { done: true, value: undefined };
    this.#length--;
    return { done: false, value: new Permit(this.#channel) };
  }

  /** Called when a loop is left. The same as `release`. */
  return(): IteratorResult<Permit<T>, undefined> {
    this.release();
    return { done: true, value: undefined };
  }

  /** Gives the room that is left to the next waiter. Synchronous, idempotent. */
  release(): void {
    const length = this.#length;
    if (length === 0) return;
    this.#length = 0;
    try {
      this.#channel.room?.releaseSafely(length);
    } catch (error) {
      // The stack has no room, and nothing has changed: a `finally` further up can still release them.
      this.#length = length;
      throw error;
    }
    this.#channel.wakeIfEnded();
  }

  /** Iterates over the permits. Leaving the loop releases the others. */
  [Symbol.iterator](): this {
    return this;
  }
}
