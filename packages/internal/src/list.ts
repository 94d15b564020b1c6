/**
 * An intrusive, circular, doubly linked list. The links are fields of the items, so that adding and removing allocate nothing
 * and cost O(1) at any position.
 *
 *     chain.head ──► a ⇄ b ⇄ c ⇄ (back to a)        append(chain, d):   a ⇄ b ⇄ c ⇄ d ⇄ (a)
 *                                                    remove(chain, a):   chain.head ──► b ⇄ c ⇄ (b)
 *
 * Invariants
 *  1. An item that is in no list has `next === undefined` and `prev === undefined`.
 *  2. An item is in at most one list at a time; the caller of `remove` must know which one.
 *  3. `chain.head === undefined` exactly when the list is empty.
 */
export interface Link<N> {
  /** The item after this one; set by `append` and `remove`; `undefined`: in no list. */
  next: N | undefined;
  /** The item before this one; set by `append` and `remove`; `undefined`: in no list. */
  prev: N | undefined;
}

/** The owner of a list: an object with a field for the first item. */
export interface Chain<N> {
  /** The oldest item; `undefined`: the list is empty. */
  head: N | undefined;
}

/** Adds `item` at the end. The item must be in no list (invariant 1). */
export function append<N extends Link<N>>(chain: Chain<N>, item: N): void {
  const head = chain.head;
  if (head === undefined) {
    item.next = item;
    item.prev = item;
    chain.head = item;
    return;
  }
  // The last item is `prev` of the first: (…tail ⇄ head…) becomes (…tail ⇄ item ⇄ head…)
  const tail = head.prev as N;
  item.prev = tail;
  item.next = head;
  tail.next = item;
  head.prev = item;
}

/** Removes `item` from its list, which must be that of `chain` (invariant 2). */
export function remove<N extends Link<N>>(chain: Chain<N>, item: N): void {
  const next = item.next === item ? undefined : item.next;
  // The call first: if the stack overflows there, nothing has changed.
  removeInner(item);
  if (chain.head === item) chain.head = next;
}

/**
 * Removes `item` from between its neighbours. Use it only for an item that is not the first, or for a list that is discarded.
 */
export function removeInner<N extends Link<N>>(item: N): void {
  const next = item.next as N;
  const prev = item.prev as N;
  prev.next = next;
  next.prev = prev;
  item.next = undefined;
  item.prev = undefined;
}
