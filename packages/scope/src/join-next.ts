import { consumeSlice, PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom } from '@quiesce/internal';
import type { Joined, JoinSet } from './join-set.ts';

/** The source behind `joinNext`. When a poll finds the set empty, it gives `undefined`. */
export class JoinNext<T> implements SourceProtocol<Joined<T> | undefined> {
  readonly #set: JoinSet<T>;
  /** Set when a poll finds the set empty, which ends the stream. */
  once?: true;

  constructor(set: JoinSet<T>) {
    this.#set = set;
  }

  poll(): Joined<T> | undefined | typeof PENDING {
    if (this.#set.isEmpty) {
      this.once = true;
      return undefined;
    }
    if (this.once) delete this.once;
    const next = this.#set.tryJoinNext();
    if (!next.ok) return PENDING;
    // A loop over tasks that compute finds each of them ready. The wait that delivers this one makes the pause.
    void consumeSlice();
    return next.value;
  }

  park(waiter: Waiter): void {
    parkOn(this.#set, waiter);
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this.#set, waiter);
  }
}
