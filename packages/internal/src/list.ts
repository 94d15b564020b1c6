/**
 * An intrusive, circular, doubly linked list: the links live in the items, so that adding and removing allocate
 * nothing and cost O(1) wherever the item stands.
 *
 *     chain.head ──► a ⇄ b ⇄ c ⇄ (back to a)        append(chain, d):   a ⇄ b ⇄ c ⇄ d ⇄ (a)
 *                                                    remove(chain, a):   chain.head ──► b ⇄ c ⇄ (b)
 *
 * Invariants
 *  1. An item that is in no list has `next === undefined` and `prev === undefined`.
 *  2. An item is in at most one list at a time; who calls `remove` knows which one.
 *  3. `chain.head === undefined` exactly when the list is empty.
 */
export interface Link<N> {
  /** The item behind this one; set by `append` and `remove`; `undefined`: in no list. */
  next: N | undefined;
  /** The item before this one; set by `append` and `remove`; `undefined`: in no list. */
  prev: N | undefined;
}

/** Whoever owns a list: all it needs is a place for the first item. */
export interface Chain<N> {
  /** The oldest item; `undefined`: the list is empty. */
  head: N | undefined;
}

/** Puts `item` behind all others. The item must be in no list (invariant 1). */
export function append<N extends Link<N>>(chain: Chain<N>, item: N): void {
  const head = chain.head;
  if (head === undefined) {
    item.next = item;
    item.prev = item;
    chain.head = item;
    return;
  }
  // prev of the first is the last: (…tail ⇄ head…) becomes (…tail ⇄ item ⇄ head…)
  const tail = head.prev as N;
  item.prev = tail;
  item.next = head;
  tail.next = item;
  head.prev = item;
}

/** Takes `item` out of the list that it is in, which must be that of `chain` (invariant 2). */
export function remove<N extends Link<N>>(chain: Chain<N>, item: N): void {
  const next = item.next === item ? undefined : item.next;
  // The call first: where it finds no room on the stack, nothing has changed.
  detach(item);
  if (chain.head === item) chain.head = next;
}

/** Takes `item` from between its neighbours, where it is not the first of its list, or the list is to be forgotten. */
export function detach<N extends Link<N>>(item: N): void {
  const next = item.next as N;
  const prev = item.prev as N;
  prev.next = next;
  next.prev = prev;
  item.next = undefined;
  item.prev = undefined;
}
