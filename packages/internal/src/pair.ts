import { type Parked, parkOn, unparkFrom, type WaiterItem, type WaiterList, waiter, wakeAll } from './waiters.ts';

/** What can be parked on; the public `SourceProtocol` without its poll. */
interface Parking {
  park(waiter: Parked): void;
  unpark(waiter: Parked): void;
}

/**
 * Those who wait for either of two sources: the parking half of a source that is made of two.
 *
 * Invariants
 *  1. While somebody is parked here, one waiter is parked on each of the two, or has been woken; otherwise none.
 *  2. Parking on one of the two may end the wait. Each step therefore looks whether somebody is still parked here.
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
      if (this.head === undefined) this.#leave();
    }
  }

  unpark(waiter: Parked): void {
    if (unparkFrom(this, waiter) && this.head === undefined) this.#leave();
  }

  #leave(): void {
    this.#first.unpark(this.#onFirst);
    this.#second.unpark(this.#onSecond);
  }

  #createWaiter(): Parked {
    return waiter(() => {
      this.#leave();
      wakeAll(this);
    });
  }
}
