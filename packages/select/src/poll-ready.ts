import { PENDING } from '@quiesce/cancellation-token';
import { setBranch } from './branch-of.ts';
import { type AnyBranches, argumentError, deferCalls } from './branches.ts';
import {
  CALL,
  checkBranches,
  checkNotEmpty,
  isElse,
  isOwn,
  kindOf,
  MATCH,
  OFF,
  protocolIn,
  protocolOf,
} from './kinds.ts';
import { CLOSED, MISSED, type Pattern, pattern, pollMatching } from './pattern.ts';

/** The branch that is ready, and its value. */
export interface AnyReadyOutcome {
  readonly ok: true;
  readonly branch: string;
  readonly value: unknown;
}

/** More than any sum of kinds. */
export const KINDS = 64;

/**
 * Checks all branches before any is polled. A poll may consume a value, which a later mistake must not lose.
 *
 * @returns the number of branches, including those that are off, times `KINDS`, plus the kinds
 * @throws TypeError for a value that is no branch, and for a wrong name or `else`
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
    if (count === 0) checkNotEmpty(branches);
  } catch (error) {
    throw argumentError(branches, error, call);
  }
  if (kinds & CALL) deferCalls(branches);
  // One number: an object would cost more than the checks.
  return count * KINDS + kinds;
}

/**
 * Polls the branches that need no wait: from index `from` to the end, and then from the start.
 *
 * @param missed collects the names whose pattern did not fit; required when there are patterns
 * @returns the outcome, or `undefined` when no branch is ready
 * @throws the error of a branch that has failed
 */
export function pollReady(
  branches: AnyBranches,
  from: number,
  missed: Set<string> | undefined,
): AnyReadyOutcome | undefined {
  return (
    pollRange(branches, from, Number.POSITIVE_INFINITY, missed) ??
    (from > 0 ? pollRange(branches, 0, from, missed) : undefined)
  );
}

function pollRange(
  branches: AnyBranches,
  from: number,
  to: number,
  missed: Set<string> | undefined,
): AnyReadyOutcome | undefined {
  let index = -1;
  for (const name in branches) {
    if (!isOwn(branches, name)) continue;
    if (name === 'else') continue;
    index++;
    if (index < from || index >= to) continue;
    try {
      const branch = branches[name];
      const protocol = protocolIn(branch);
      const value = protocol === undefined ? pollOther(branch, kindOf(branch, name)) : protocol.poll();
      if (value === PENDING) continue;
      if (value !== MISSED && value !== CLOSED) return { ok: true, branch: name, value };
      missed?.add(name);
    } catch (error) {
      setBranch(error, name);
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
