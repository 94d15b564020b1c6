/**
 * Stores the hooks of one shutdown, and finds the next one.
 *
 *     waiting ──► running ──► ended
 *        └──────► removed (forgotten)      └ also `skipped`, without running
 *
 * Invariants
 *  1. A name belongs to one hook at a time, and keeps its place until the hook is removed: reports name hooks.
 *  2. No hook waits for itself. `after` names only registered hooks. A cycle is refused; it can arise when a name is removed
 *     and used again.
 *  3. A hook is next only when no hook that its `after` names is waiting or running.
 *  4. Waiting hooks are sorted by rank, the first to run at the end of the list: it is found without a search.
 *
 * Not guaranteed: that a hook with a high priority runs early. It may have to wait for a hook with a low one.
 */

import type { CancellationToken } from '@quiesce/cancellation-token';
import { HookError } from './errors.ts';
import type { ShutdownRequest } from './request.ts';

/** Does the work of a hook. */
export type HookFunction = (token: CancellationToken, request: ShutdownRequest) => unknown;

/** The phase in which a hook runs. */
export type HookPhase = 'stopping' | 'draining' | 'cleanup' | 'final';

/** The phases in their order. See `Position` for the index of a shutdown that is running or has stopped. */
export const phases: readonly HookPhase[] = ['stopping', 'draining', 'cleanup', 'final'];

/** How a hook ended. */
export type HookOutcome = 'done' | 'failed' | 'timed out' | 'cut off' | 'skipped';

/** The record of one hook. */
export interface Hook {
  readonly name: string;
  readonly phase: HookPhase;
  /** The index of that phase. */
  readonly at: number;
  readonly run: HookFunction;
  readonly priority: number;
  readonly after: readonly string[];
  /** In ms. `undefined` means the `hookTimeout` of the shutdown. */
  readonly timeout: number | undefined;
  state: 'waiting' | 'running' | 'ended';
  /** Set when it starts, in ms of the clock. */
  started: number;
  /** Set when it ends. */
  durationMs: number;
  /** Set when it ends. `undefined` before. */
  outcome: HookOutcome | undefined;
  /** The error that it failed with. `undefined` unless it failed. */
  error: unknown;
}

export class Hooks {
  /** In order of registration. */
  readonly #byName: Map<string, Hook> = new Map();
  /** The waiting hooks (invariant 4), and hooks that have started since: `next` removes those when it meets them. */
  readonly #waiting: Hook[] = [];

  /** Returns every hook, in order of registration. */
  all(): Hook[] {
    return [...this.#byName.values()];
  }

  add(hook: Hook): void {
    const { name } = hook;
    if (this.#byName.has(name)) {
      throw new HookError(name, 'taken', 'another hook has this name. Remove that hook, or choose another name');
    }
    for (const other of hook.after) this.#checkAfter(hook, other);
    this.#byName.set(name, hook);
    this.#waiting.splice(this.#placeOf(hook), 0, hook);
  }

  /** Returns the index after the hooks of equal and lower rank: of equal hooks, the last one registered runs first. */
  #placeOf(hook: Hook): number {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#waiting[middle] as Hook, hook)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #checkAfter(hook: Hook, other: string): void {
    const { name, at } = hook;
    if (this.#leads(other, name)) {
      throw new HookError(
        name,
        'cycle',
        `it would have to run after itself, because of ${JSON.stringify(other)}. Remove one of the names from after`,
      );
    }
    const found = this.#byName.get(other);
    if (found === undefined) {
      throw new HookError(
        name,
        'unknown',
        `after names ${JSON.stringify(other)}, which is not registered. Register that hook first`,
      );
    }
    if (found.at > at) {
      throw new HookError(
        name,
        'phase',
        `after names ${JSON.stringify(other)}, which runs in a later phase, ${found.phase}. Choose that phase for this hook too`,
      );
    }
  }

  /** Returns whether a chain of `after` leads from one name to another. The names need not be registered. */
  #leads(from: string, to: string): boolean {
    const seen = new Set([from]);
    for (const name of seen) {
      if (name === to) return true;
      for (const next of this.#byName.get(name)?.after ?? []) seen.add(next);
    }
    return false;
  }

  /** Removes a waiting hook. Returns whether it was waiting. */
  remove(hook: Hook): boolean {
    if (hook.state !== 'waiting' || this.#byName.get(hook.name) !== hook) return false;
    this.#waiting.splice(this.#waiting.indexOf(hook), 1);
    return this.#byName.delete(hook.name);
  }

  /**
   * Returns the next hook up to the phase with this index: first by phase, then by the highest priority, then the last one
   * registered (invariant 3).
   */
  next(upTo: number): Hook | undefined {
    const waiting = this.#waiting;
    for (let i = waiting.length - 1; i >= 0; i--) {
      const hook = waiting[i] as Hook;
      if (hook.state !== 'waiting') waiting.splice(i, 1);
      else if (hook.at > upTo) return undefined;
      else if (this.#isFree(hook)) return hook;
    }
    return undefined;
  }

  #isFree(hook: Hook): boolean {
    if (hook.after.length === 0) return true;
    return hook.after.every((name) => {
      const other = this.#byName.get(name);
      return other === undefined || other.state === 'ended';
    });
  }
}

/** Returns whether one hook ranks before another, regardless of their registration. */
function isBefore(one: Hook, other: Hook): boolean {
  return one.at === other.at ? one.priority > other.priority : one.at < other.at;
}
