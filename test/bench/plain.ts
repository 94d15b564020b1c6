// The baselines: the same data in plain objects of the same shape, without any work beyond the measured one.

/** A callback with its links in a list. */
export class PlainNode {
  next: PlainNode | undefined = undefined;
  prev: PlainNode | undefined = undefined;
  owner: PlainToken | undefined;
  fn: (reason: unknown) => void;

  constructor(owner: PlainToken, fn: (reason: unknown) => void) {
    this.owner = owner;
    this.fn = fn;
  }
}

/** Five fields without a use. */
export class PlainToken {
  up: PlainToken | undefined;
  bits: number;
  next: PlainToken | undefined;
  prev: PlainToken | undefined;
  head: PlainToken | PlainNode | undefined;

  constructor(up: PlainToken | undefined, bits: number) {
    this.up = up;
    this.bits = bits;
    this.next = undefined;
    this.prev = undefined;
    this.head = undefined;
  }
}

/** A token with as many children in a linked list, each with one callback. */
export function plainChildren(count: number, callback: () => (reason: unknown) => void): PlainToken {
  const root = new PlainToken(undefined, 0);
  let last: PlainToken | undefined;
  for (let i = 0; i < count; i++) {
    const child = new PlainToken(root, i);
    child.head = new PlainNode(child, callback());
    child.prev = last;
    if (last === undefined) root.head = child;
    else last.next = child;
    last = child;
  }
  return root;
}

/** Walks from child to child and calls each callback. */
export function callChildren(root: PlainToken, reason: unknown): void {
  for (let child = root.head as PlainToken | undefined; child !== undefined; child = child.next) {
    (child.head as PlainNode).fn(reason);
  }
}

/** A chain of tokens, each the only child of the one before. */
export function plainChain(length: number): { readonly root: PlainToken; readonly leaf: PlainToken } {
  const root = new PlainToken(undefined, 0);
  let leaf = root;
  for (let i = 1; i < length; i++) {
    const child = new PlainToken(leaf, i & 1);
    leaf.head = child;
    leaf = child;
  }
  return { root, leaf };
}

/** From the root to the leaf; reads each token on the way. */
export function walkDown(root: PlainToken): number {
  let sum = 0;
  for (let at: PlainToken | undefined = root; at !== undefined; at = at.head as PlainToken | undefined) sum += at.bits;
  return sum;
}

/** From the leaf to the root; reads each token on the way. */
export function walkUp(leaf: PlainToken): number {
  let sum = 0;
  for (let at: PlainToken | undefined = leaf; at !== undefined; at = at.up) sum += at.bits;
  return sum;
}
