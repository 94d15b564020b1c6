import { show } from '@quiesce/internal';
import { listenToAbort } from './abort-event.ts';
import { attachTrigger, Reason, type TreeNode, type Trigger } from './node.ts';
import { isCancelled } from './tree.ts';

/** The token of each native signal that a token has made. */
export const tokenOfSignal: WeakMap<AbortSignal, TreeNode> = new WeakMap();

/** The hidden root that follows each foreign signal: one for each, shared by all that follow it. */
const rootOfSignal: WeakMap<AbortSignal, TreeNode> = new WeakMap();

/** The root that follows `signal`. Nobody but its children ever sees it, so nobody can cancel or dispose it. */
export function followerOf<T extends TreeNode>(signal: AbortSignal, make: () => T): T {
  let root = rootOfSignal.get(signal) as T | undefined;
  if (root === undefined) {
    root = make();
    attachTrigger(root, new SignalTrigger(root, signal), 0);
    rootOfSignal.set(signal, root);
  }
  return root;
}

/** Whether `value` behaves as an `AbortSignal`, of whichever realm or library. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const signal = value as Partial<AbortSignal>;
  return (
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  );
}

/** What was passed instead, and what to pass. */
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
 * One listener on one foreign signal, there only while the root is observed. A class, since a record with functions could
 * not be cloned, and cloning a token must fail at its use and not before.
 */
class SignalTrigger implements Trigger {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #signal: AbortSignal;
  /** Listens no longer; `undefined`: it does not listen. */
  #removeListener: (() => void) | undefined = undefined;
  /** The listener: a function, which every kind of signal takes. */
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
    // Between the asking and now: it will not say so again. To be told so is the last that happens to a root when linked.
    else this.#onAbort();
  }

  setAwaited(): void {}

  pollReason(): Reason | undefined {
    return this.#signal.aborted ? new Reason(this.#signal.reason, 'signal') : undefined;
  }
}
