import { CancellationToken, isSource, PENDING, type Source, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { absolve, blame } from './branch-of.ts';
import type { AnyBranches, AnyOutcome } from './branches.ts';
import { kindOf, MATCH, OFF, PROMISE, SIGNAL, SOURCE } from './kinds.ts';
import { CLOSED, isMatch, MISSED, type Pattern, pattern, pollMatching } from './pattern.ts';
import { recall, watch } from './watched.ts';

/** What a literal holds is one number, `count * KINDS + kinds`, since an object would cost more than the look. */
export const KINDS = 32;

/**
 * Looks at all branches before any is polled: a poll may consume, and a mistake further down must not lose that.
 *
 * @returns how many branches there are, switched-off ones included, times `KINDS`, and which kinds
 * @throws TypeError for what cannot be a branch, a name or an `else`
 */
export function inspect(branches: AnyBranches): number {
  if (typeof branches !== 'object' || branches === null) {
    throw new TypeError(`select: expected an object of branches by name, got ${show(branches)}`);
  }
  let count = 0;
  let kinds = OFF;
  for (const name in branches) {
    const branch = branches[name];
    if (name === 'else') {
      if (branch === undefined || typeof branch === 'function') continue;
      throw new TypeError(`select: else must be a function, got ${show(branch)}`);
    }
    // Names that begin with a letter, which are nearly all, are told by one comparison.
    if (name.charCodeAt(0) < 58 && String(Number(name)) === name) throw reordered(name);
    count++;
    kinds |= kindOf(branch, name);
  }
  return count * KINDS + kinds;
}

function reordered(name: string): TypeError {
  return new TypeError(
    `select: the branch name ${JSON.stringify(name)} is a number, which JavaScript moves to the front; give it a name that is none`,
  );
}

/** A select whose own token is cancelled takes nothing, and its reason is no branch's error. */
export function refuseCancelled(outer: CancellationToken): void {
  const reason = outer[source].poll();
  if (reason === PENDING) return;
  absolve(reason);
  throw reason;
}

/**
 * Polls what can be polled without waiting: from index `from` to the end, then from the beginning.
 *
 * @param missed where the names go whose pattern did not fit; needed when there are patterns
 * @returns the outcome; `undefined`: nothing is ready
 * @throws the failure of a branch that is ready with one
 */
export function look(branches: AnyBranches, from: number, missed: Set<string> | undefined): AnyOutcome | undefined {
  return lookAt(branches, from, Number.POSITIVE_INFINITY, missed) ?? (from > 0 ? lookAt(branches, 0, from, missed) : undefined);
}

function lookAt(
  branches: AnyBranches,
  from: number,
  to: number,
  missed: Set<string> | undefined,
): AnyOutcome | undefined {
  let index = -1;
  for (const name in branches) {
    if (name === 'else') continue;
    index++;
    if (index < from || index >= to) continue;
    try {
      const value = pollOne(branches[name], kindOf(branches[name], name));
      if (value === PENDING) continue;
      if (value !== MISSED && value !== CLOSED) return { branch: name, value };
      missed?.add(name);
    } catch (error) {
      blame(error, name);
      throw error;
    }
  }
  return undefined;
}

function pollOne(branch: unknown, kind: number): unknown {
  if (kind === OFF) return PENDING;
  if (kind & MATCH) {
    const matching = (branch as { [pattern]: Pattern<unknown> })[pattern];
    const inner = protocolOf(matching.branch, kind);
    return inner === undefined ? PENDING : pollMatching(inner, matching.guard);
  }
  const protocol = protocolOf(branch, kind);
  return protocol === undefined ? PENDING : protocol.poll();
}

/** What can be polled without anything being started or registered. */
function protocolOf(branch: unknown, kind: number): SourceProtocol<unknown> | undefined {
  if (kind & SOURCE) return (branch as Source<unknown>)[source];
  if (kind & PROMISE) return recall(branch as PromiseLike<unknown>);
  return kind & SIGNAL ? CancellationToken.from(branch as AbortSignal)[source] : undefined;
}

/** Gives every promise its lasting reaction: it has lost before it could be waited for. */
export function rememberAll(branches: AnyBranches): void {
  for (const name in branches) {
    const branch = branches[name];
    const inner = typeof branch === 'object' && branch !== null && isMatch(branch) ? branch[pattern].branch : branch;
    if (!isSource(inner) && isThenable(inner)) watch(inner);
  }
}
