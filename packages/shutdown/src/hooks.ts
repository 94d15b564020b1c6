/**
 * The hooks of one shutdown, and which of them is next.
 *
 *     waiting ──► running ──► ended
 *        └──────► removed (forgotten)      └ `skipped` too, without running
 *
 * Invariants
 *  1. A name stands for one hook at a time, and keeps its place until it is removed: reports name hooks.
 *  2. No hook waits for itself: names must be known when they are used, and a cycle, which a name that was removed and used
 *     again could close, is refused.
 *  3. A hook is next only if no hook that it names in `after` waits or runs.
 *  4. Those that wait stand in order of rank, the one that is before all others last: it is found without a search.
 *
 * Not guaranteed: that a hook with a high priority runs early when it must wait for one with a low one.
 */

import type { CancellationToken } from '@quiesce/cancellation-token';
import { HookError } from './errors.ts';
import type { ShutdownRequest } from './request.ts';

/** Does the work of a hook. */
export type HookFunction = (token: CancellationToken, request: ShutdownRequest) => unknown;

/** When a hook runs. */
export type HookPhase = 'stopping' | 'draining' | 'cleanup' | 'final';

/** In their order; a shutdown is at the index -1 while it is running, and behind the last one when it has stopped. */
export const phases: readonly HookPhase[] = ['stopping', 'draining', 'cleanup', 'final'];

/** How a hook ended. */
export type HookOutcome = 'done' | 'failed' | 'timed out' | 'cut off' | 'skipped';

/** One hook. */
export interface Hook {
  readonly name: string;
  readonly phase: HookPhase;
  /** The index of that phase. */
  readonly at: number;
  readonly run: HookFunction;
  readonly priority: number;
  readonly after: readonly string[];
  /** In ms; `undefined`: the shutdown's `hookTimeout`. */
  readonly timeout: number | undefined;
  state: 'waiting' | 'running' | 'ended';
  /** Set when it starts, in ms of the clock. */
  started: number;
  /** Set when it ends. */
  durationMs: number;
  /** Set when it ends; `undefined` until then. */
  outcome: HookOutcome | undefined;
  /** What it failed with; `undefined` unless it failed. */
  error: unknown;
}

export class Hooks {
  /** In order of registration. */
  readonly #byName: Map<string, Hook> = new Map();
  /** Those that wait (invariant 4), and others that have begun since: they are taken out when they are met. */
  readonly #waiting: Hook[] = [];

  /** Every hook there is, in order of registration. */
  all(): Hook[] {
    return [...this.#byName.values()];
  }

  add(hook: Hook): void {
    const { name } = hook;
    if (this.#byName.has(name)) {
      throw new HookError(name, 'taken', 'there is a hook of this name: remove that one, or choose another name');
    }
    for (const other of hook.after) this.#checkAfter(hook, other);
    this.#byName.set(name, hook);
    this.#waiting.splice(this.#placeOf(hook), 0, hook);
  }

  /** Behind all that it is before, and those of the same rank: the last one in is the first one out. */
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
      throw new HookError(name, 'cycle', `it would have to run after itself, by way of ${JSON.stringify(other)}`);
    }
    const found = this.#byName.get(other);
    if (found === undefined) {
      throw new HookError(name, 'unknown', `there is no hook ${JSON.stringify(other)}: register that one first`);
    }
    if (found.at > at) {
      throw new HookError(name, 'phase', `${JSON.stringify(other)} runs in a later phase, ${found.phase}`);
    }
  }

  /** Whether the way of `after` leads from one name to another, which need not be registered. */
  #leads(from: string, to: string): boolean {
    const seen = new Set([from]);
    for (const name of seen) {
      if (name === to) return true;
      for (const next of this.#byName.get(name)?.after ?? []) seen.add(next);
    }
    return false;
  }

  /** Takes back one that waits; says whether it did. */
  remove(hook: Hook): boolean {
    if (hook.state !== 'waiting' || this.#byName.get(hook.name) !== hook) return false;
    this.#waiting.splice(this.#waiting.indexOf(hook), 1);
    return this.#byName.delete(hook.name);
  }

  /**
   * The hook that is next up to this phase, by its index: those of an earlier phase first, then the highest priority, and of
   * those the last one in (invariant 3).
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

/** Whether one hook is before another in rank, whichever was registered first. */
function isBefore(one: Hook, other: Hook): boolean {
  return one.at === other.at ? one.priority > other.priority : one.at < other.at;
}
