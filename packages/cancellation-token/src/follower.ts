import { show } from '@quiesce/internal';
import { listenToAbort } from './abort-event.ts';
import { attachTrigger, Reason, type TreeNode, type Trigger } from './node.ts';
import { isCancelled } from './tree.ts';

/** The token of each native signal that was created by a token. */
export const tokenOfSignal: WeakMap<AbortSignal, TreeNode> = new WeakMap();

/** The hidden root that follows each foreign signal, shared by all tokens that follow the signal. */
const rootOfSignal: WeakMap<AbortSignal, TreeNode> = new WeakMap();

/** Returns the root that follows `signal`. It is never exposed, so no other code can cancel or dispose it. */
export function followerOf<T extends TreeNode>(signal: AbortSignal, make: () => T): T {
  let root = rootOfSignal.get(signal) as T | undefined;
  if (root === undefined) {
    root = make();
    attachTrigger(root, new SignalTrigger(root, signal), 0);
    rootOfSignal.set(signal, root);
  }
  return root;
}

/** Whether `value` behaves as an `AbortSignal`, of any realm or library. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const signal = value as Partial<AbortSignal>;
  return (
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  );
}

/** Names a refused value, and what to pass instead. */
export function describeRefused(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'flags' in value && 'head' in value) {
    return 'a copy of a token, as postMessage and structuredClone make it; a token serves one thread: post a message';
  }
  const isController = typeof value === 'object' && value !== null && 'signal' in value;
  const ms = typeof value === 'number' && value >= 0 ? value : '10_000';
  const deadline = `write CancellationToken.timeout(${ms}), or CancellationToken.never for no limit`;
  return `${show(value)}; ${isController ? 'pass controller.signal, not the controller' : deadline}`;
}

/**
 * One listener on one foreign signal, which is there only while the root is observed. A class, because a record with functions
 * could not be cloned: cloning a token must fail when the clone is used, not before.
 */
class SignalTrigger implements Trigger {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #signal: AbortSignal;
  /** Removes the listener; `undefined` while it does not listen. */
  #removeListener: (() => void) | undefined = undefined;
  /** The listener: a function, because every kind of signal accepts one. */
  readonly #onAbort = (): void => void isCancelled(this.#root);

  constructor(root: TreeNode, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  setObserved(_node: TreeNode, on: boolean): void {
    if (!on) {
      this.#removeListener?.();
      this.#removeListener = undefined;
    } else if (!this.#signal.aborted) this.#removeListener = listenToAbort(this.#signal, this.#onAbort);
    // Aborted between the poll and now: the event will not fire again. This call is the last step of linking a root.
    else this.#onAbort();
  }

  setAwaited(): void {}

  pollReason(): Reason | undefined {
    return this.#signal.aborted ? new Reason(this.#signal.reason, 'signal') : undefined;
  }
}
