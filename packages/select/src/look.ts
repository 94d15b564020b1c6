import { CancellationToken, PENDING, type Source, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { blame } from './branch-of.ts';
import type { AnyBranches, AnyOutcome } from './branches.ts';
import { checkBranches, isElse, kindOf, MATCH, OFF, SIGNAL, SOURCE } from './kinds.ts';
import { CLOSED, MISSED, type Pattern, pattern, pollMatching } from './pattern.ts';
import { handleAll } from './refused.ts';

/**
 * Looks at all branches before any is polled: a poll may consume, and a mistake further down must not lose that.
 *
 * @returns how many branches there are, switched-off ones included, times `KINDS`, and which kinds
 * @throws TypeError for what cannot be a branch, a name or an `else`
 */
export function inspect(branches: AnyBranches): number {
  let count = 0;
  let kinds = OFF;
  let calls: SourceProtocol<unknown>[] | undefined;
  try {
    checkBranches(branches);
    for (const name of Object.keys(branches)) {
      const branch = branches[name];
      if (isElse(name, branch)) continue;
      count++;
      const kind = kindOf(branch, name);
      kinds |= kind;
      if (kind & SOURCE) calls = withCall(calls, branch);
    }
  } catch (error) {
    handleAll(branches);
    throw error;
  }
  // As `addAll` of select.
  for (const call of calls?.reverse() ?? []) call.defer?.();
  // One number: an object would cost more than the look.
  return count * KINDS + kinds;
}

/** The calls that were found so far, and the branch if it is one: a call is a source that may have taken a value. */
function withCall(
  calls: SourceProtocol<unknown>[] | undefined,
  branch: unknown,
): SourceProtocol<unknown>[] | undefined {
  const matching = (branch as { readonly [pattern]?: Pattern<unknown> })[pattern];
  const protocol = ((matching === undefined ? branch : matching.branch) as Source<unknown>)[source];
  return protocol.defer === undefined ? calls : [...(calls ?? []), protocol];
}

/** More than any sum of kinds. */
export const KINDS = 32;

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
  for (const name of Object.keys(branches)) {
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
export function protocolOf(branch: unknown, kind: number): SourceProtocol<unknown> | undefined {
  if (kind & SOURCE) return (branch as Source<unknown>)[source];
  return kind & SIGNAL ? CancellationToken.from(branch as AbortSignal)[source] : undefined;
}
