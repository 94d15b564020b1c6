import { callable, checkOptions, refuseExtra } from '@quiesce/internal';
import {
  type AnyBranches,
  argumentError,
  type Branches,
  elseOf,
  type ReadyBranch,
  type ReadyOutcomes,
  releaseBranches,
} from './branches.ts';
import { FUNCTION, kindOf, MATCH, OFF, PROMISE } from './kinds.ts';
import { type AnyReadyOutcome, inspect, KINDS, pollReady } from './poll-ready.ts';
import { firstIndex, randomIndex, randomStart, type SelectOptions, type StartIndex } from './settings.ts';

/** The result when no branch is ready. */
interface NotReady {
  readonly ok: false;
  readonly why: 'pending' | 'off';
}

/** The type of {@link trySelect}. */
export interface TrySelect {
  <B extends Branches<B, ReadyBranch>>(
    branches: B,
    options?: Pick<SelectOptions, 'random'>,
  ): ReadyOutcomes<B>[keyof B] | { readonly ok: false; readonly why: 'pending' | 'off' };
  /** Works as `trySelect`, but polls the branches in the order of declaration. */
  biased<B extends Branches<B, ReadyBranch>>(
    branches: B,
  ): ReadyOutcomes<B>[keyof B] | { readonly ok: false; readonly why: 'pending' | 'off' };
}

/**
 * Takes the value of a branch that is ready now, as `select` would, and never waits: Go's `select` with a `default`.
 *
 * **Timing.** Synchronous. It registers nothing and starts nothing.
 *
 * **Cancel safety.** At most one value is taken, and it is returned. Values that do not fit a `match` are lost.
 *
 * **Fairness.** As `select`: the first branch is random, and the others follow cyclically. `trySelect.biased` polls in the order
 * of declaration.
 *
 * @param branches names and branches: sources, tokens, signals, `match` of these, or a value that switches a branch off. `else`
 *   is taken when every branch is off. Its result is not awaited
 * @param options `random` replaces `Math.random`
 * @returns `{ ok: true, branch, value }`, or `{ ok: false, why }`: `pending` when no branch is ready, or `off` when there is
 *   no `else` and every branch is off, or has given a value that does not fit its `match`
 * @throws the error of a branch that has failed, verbatim (`branchOf` names it); TypeError for a promise, a function or another
 *   value that cannot be polled synchronously; RangeError when `random` returns no number from 0 to below 1
 * @see Tokio's try_recv and Go's select with default
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(16);
 * console.log(trySelect({ job: rx })); // => { ok: false, why: 'pending' }
 * await tx.send('print');
 * const next = trySelect({ job: rx });
 * if (next.ok) console.log(next.branch, next.value); // => job print
 * ```
 */
export const trySelect: TrySelect = /* @__PURE__ */ callable(
  'trySelect',
  (branches: AnyBranches, options?: SelectOptions) => {
    return attempt('trySelect', branches, options === undefined ? randomIndex : startOf(branches, options)) as never;
  },
  {
    biased: (branches: AnyBranches, extra?: unknown) => {
      if (extra !== undefined) releaseBranches(branches);
      refuseExtra('trySelect.biased', extra, 'write trySelect.biased(branches)');
      return attempt('trySelect.biased', branches, firstIndex) as never;
    },
  },
);

function startOf(branches: AnyBranches, options: SelectOptions): StartIndex {
  try {
    checkOptions('trySelect', options, ['random']);
    return randomStart('trySelect', options.random);
  } catch (error) {
    throw argumentError(branches, error, 'trySelect');
  }
}

function attempt(call: string, branches: AnyBranches, startIndex: StartIndex): AnyReadyOutcome | NotReady {
  const found = inspect(branches, call);
  const kinds = found % KINDS;
  if (kinds & (PROMISE | FUNCTION)) throwNotReady(call, branches);
  const missed = kinds & MATCH ? new Set<string>() : undefined;
  const count = (found - kinds) / KINDS;
  const outcome = kinds === OFF ? undefined : pollReady(branches, startIndex(count), missed);
  return outcome ?? noneReady(branches, kinds, missed);
}

/** The result without a ready branch: `else`, when every branch is off. */
function noneReady(
  branches: AnyBranches,
  kinds: number,
  missed: ReadonlySet<string> | undefined,
): AnyReadyOutcome | NotReady {
  if (kinds !== OFF && isPending(branches, missed)) return { ok: false, why: 'pending' };
  const alternative = elseOf(branches);
  if (alternative === undefined) return { ok: false, why: 'off' };
  return { ok: true, branch: 'else', value: (alternative as () => unknown)() };
}

/** Whether a branch is on, and has given no value that does not fit its pattern. */
function isPending(branches: AnyBranches, missed: ReadonlySet<string> | undefined): boolean {
  // Without patterns, a branch that was on still is.
  if (missed === undefined) return true;
  return Object.keys(branches).some((name) => {
    return name !== 'else' && kindOf(branches[name], name) !== OFF && !missed.has(name);
  });
}

function throwNotReady(call: string, branches: AnyBranches): never {
  releaseBranches(branches);
  for (const name of Object.keys(branches)) {
    if (name === 'else' || !(kindOf(branches[name], name) & (PROMISE | FUNCTION))) continue;
    throw new TypeError(
      `${call}: branch ${JSON.stringify(name)} is a promise or a function, which cannot be polled synchronously; use select`,
    );
  }
  throw new TypeError(`${call}: the branches changed during the call`);
}
