import { createWaiter, type Parked, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from './waiters.ts';

/** The parking half of the public `SourceProtocol`. */
interface Parking {
  park(waiter: Parked): void;
  unpark(waiter: Parked): void;
}

/**
 * The waiters on either of two sources: the parking half of a source that combines two.
 *
 * Invariants
 *  1. While a waiter is parked here, one waiter of this pair is parked on each of the two sources, or has been woken. Otherwise
 *     none is.
 *  2. Parking on one of the two may end the wait. Each step therefore checks whether a waiter is still parked here.
 */
export class Pair implements WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly #first: Parking;
  readonly #second: Parking;
  readonly #onFirst: Parked;
  readonly #onSecond: Parked;

  constructor(first: Parking, second: Parking) {
    this.#first = first;
    this.#second = second;
    this.#onFirst = this.#createWaiter();
    this.#onSecond = this.#createWaiter();
  }

  park(waiter: Parked): void {
    parkOn(this, waiter);
    try {
      this.#first.park(this.#onFirst);
      if (this.head !== undefined) this.#second.park(this.#onSecond);
    } catch (error) {
      this.unpark(waiter);
      throw error;
    } finally {
      if (this.head === undefined) this.#unparkBoth();
    }
  }

  unpark(waiter: Parked): void {
    if (unparkFrom(this, waiter) && this.head === undefined) this.#unparkBoth();
  }

  #unparkBoth(): void {
    this.#first.unpark(this.#onFirst);
    this.#second.unpark(this.#onSecond);
  }

  #createWaiter(): Parked {
    return createWaiter(() => {
      this.#unparkBoth();
      wakeAll(this);
    });
  }
}
