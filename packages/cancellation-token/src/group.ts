import { DISPOSED, type Origin, type Reason, type TreeNode } from './node.ts';
import { hold, isCancelled, observe, Registration, unobserve } from './tree.ts';

/**
 * Several tokens that together cancel one: `any` with the first, `all` with the last of them.
 *
 * Guarantee not given: when nobody observes, a foreign signal counts as aborted from when it was noticed, since it does
 * not say when it was.
 */
export class Group implements Origin {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #sources: readonly TreeNode[];
  readonly #isAll: boolean;
  /** The callbacks on the sources, while the root is observed; another array each time. */
  #registrations: Registration[] = [];
  /** Whether the sources are told that somebody waits. */
  #isHeld = false;

  constructor(root: TreeNode, sources: readonly TreeNode[], isAll: boolean) {
    this.#root = root;
    this.#sources = sources;
    this.#isAll = isAll;
  }

  listen(node: TreeNode, on: boolean): void {
    if (!on) this.hold(node, false);
    for (const registration of this.#registrations) if (registration.owner !== undefined) unobserve(registration);
    const registrations: Registration[] = [];
    this.#registrations = registrations;
    if (!on) return;
    let cancelled = 0;
    for (const source of this.#sources) {
      // A deadline may have passed just now: then callbacks run here, which may end this very listening.
      const isOver = isCancelled(source);
      if (this.#registrations !== registrations) return;
      if (isOver) cancelled++;
      // A disposed source is frozen: it will never say anything again.
      if (isOver || source.bits & DISPOSED) continue;
      const registration = new Registration(() => void isCancelled(this.#root));
      registrations.push(registration);
      observe(source, registration);
    }
    if (cancelled >= this.#needed) queueMicrotask(() => isCancelled(this.#root));
  }

  /** Somebody waits for the root: then a deadline of a source must not let the process end before. */
  hold(_node: TreeNode, on: boolean): void {
    if (on === this.#isHeld) return;
    this.#isHeld = on;
    for (const source of this.#sources) hold(source, on ? 1 : -1);
  }

  /** How many of the sources it takes. */
  get #needed(): number {
    return this.#isAll ? this.#sources.length : 1;
  }

  ask(): Reason | undefined {
    const cancelled = this.#sources.filter(isCancelled);
    if (cancelled.length < this.#needed) return undefined;
    const reasons = cancelled.map((source) => source.up as Reason);
    return reasons.reduce((a, b) => (a.isBefore(b) === this.#isAll ? b : a));
  }
}
