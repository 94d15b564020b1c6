import { CancellationToken, PENDING, type Source, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { blame } from './branch-of.ts';
import type { AnyBranches, AnyOutcome } from './branches.ts';
import {
  CALL,
  checkBranches,
  isElse,
  isOwn,
  kindOf,
  MATCH,
  OFF,
  SIGNAL,
  SOURCE,
  sourceIn,
  wrongBranches,
} from './kinds.ts';
import { CLOSED, MISSED, type Pattern, pattern, pollMatching } from './pattern.ts';
import { deferCalls, refusal } from './refused.ts';

/**
 * Looks at all branches before any is polled: a poll may consume, and a mistake further down must not lose that.
 *
 * @returns how many branches there are, switched-off ones included, times `KINDS`, and which kinds
 * @throws TypeError for what cannot be a branch, a name or an `else`
 */
export function inspect(branches: AnyBranches, call: string): number {
  let count = 0;
  let kinds = OFF;
  try {
    checkBranches(branches);
    for (const name in branches) {
      if (!isOwn(branches, name)) continue;
      const branch = branches[name];
      if (isElse(name, branch)) continue;
      count++;
      kinds |= kindOf(branch, name);
    }
    if (count === 0) checkEmpty(branches);
  } catch (error) {
    throw refusal(branches, error, call);
  }
  if (kinds & CALL) deferCalls(branches);
  // One number: an object would cost more than the look.
  return count * KINDS + kinds;
}

/** @throws TypeError when there is no branch because it is a source, a promise or a list itself */
export function checkEmpty(branches: unknown): void {
  const wrong = wrongBranches(branches);
  if (wrong !== undefined) throw wrong;
}

/** More than any sum of kinds. */
export const KINDS = 64;

/**
 * Polls what can be polled without waiting: from index `from` to the end, then from the beginning.
 *
 * @param missed where the names go whose pattern did not fit; needed when there are patterns
 * @returns the outcome; `undefined`: nothing is ready
 * @throws the failure of a branch that is ready with one
 */
export function look(branches: AnyBranches, from: number, missed: Set<string> | undefined): AnyOutcome | undefined {
  return (
    lookAt(branches, from, Number.POSITIVE_INFINITY, missed) ??
    (from > 0 ? lookAt(branches, 0, from, missed) : undefined)
  );
}

function lookAt(
  branches: AnyBranches,
  from: number,
  to: number,
  missed: Set<string> | undefined,
): AnyOutcome | undefined {
  let index = -1;
  for (const name in branches) {
    if (!isOwn(branches, name)) continue;
    if (name === 'else') continue;
    index++;
    if (index < from || index >= to) continue;
    try {
      const branch = branches[name];
      const protocol = sourceIn(branch);
      const value = protocol === undefined ? pollOther(branch, kindOf(branch, name)) : protocol.poll();
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

function pollOther(branch: unknown, kind: number): unknown {
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
export function protocolOf(branch: unknown, kind: number): SourceProtocol<unknown> | undefined {
  if (kind & SOURCE) return (branch as Source<unknown>)[source];
  return kind & SIGNAL ? CancellationToken.from(branch as AbortSignal)[source] : undefined;
}
