import { parkOn, unparkFrom, type WaiterItem, type WaiterList } from '@quiesce/internal';
import { PENDING, type SourceProtocol, type Waiter } from './source.ts';

/** A condition as a source. The code that makes it true calls `wakeAll` on its list. */
export class Condition implements SourceProtocol<void>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #isMet: () => boolean;
  readonly #list: WaiterList;

  /** @param list where its waiters park; by default the condition itself */
  constructor(isMet: () => boolean, list?: WaiterList) {
    this.#isMet = isMet;
    this.#list = list ?? this;
  }

  get isReady(): boolean {
    return this.#isMet();
  }

  poll(): undefined | typeof PENDING {
    return this.#isMet() ? undefined : PENDING;
  }

  park(waiter: Waiter): void {
    parkOn(this.#list, waiter);
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this.#list, waiter);
  }
}
