import { callable, checkOptions, refuseExtra } from '@quiesce/internal';
import {
  type AnyBranches,
  type AnyOutcome,
  argumentError,
  type Branches,
  elseOf,
  type Outcomes,
  type ReadyBranch,
  releaseBranches,
} from './branches.ts';
import { FUNCTION, kindOf, MATCH, OFF, PROMISE } from './kinds.ts';
import { inspect, KINDS, pollReady } from './poll-ready.ts';
import { firstIndex, randomIndex, randomStart, type SelectOptions, type StartIndex } from './settings.ts';

/** The type of {@link trySelect}. */
export interface TrySelect {
  <B extends Branches<B, ReadyBranch>>(
    branches: B,
    options?: Pick<SelectOptions, 'random'>,
  ): Outcomes<B>[keyof B] | undefined;
  /** Works as `trySelect`, but polls the branches in the order of declaration. */
  biased<B extends Branches<B, ReadyBranch>>(branches: B): Outcomes<B>[keyof B] | undefined;
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
 * @returns the ready branch and its value, or `undefined` when no branch is ready
 * @throws the error of a branch that has failed, verbatim (`branchOf` names it); TypeError for a promise, a function or another
 *   value that cannot be polled synchronously; RangeError when `random` returns no number from 0 to below 1
 * @see Tokio's try_recv and Go's select with default
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(16);
 * console.log(trySelect({ job: rx })); // => undefined
 * tx.send('print');
 * console.log(trySelect({ job: rx })?.value); // => print
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

function attempt(call: string, branches: AnyBranches, startIndex: StartIndex): AnyOutcome | undefined {
  const found = inspect(branches, call);
  const kinds = found % KINDS;
  if (kinds & (PROMISE | FUNCTION)) throwNotReady(call, branches);
  const missed = kinds & MATCH ? new Set<string>() : undefined;
  const count = (found - kinds) / KINDS;
  const outcome = kinds === OFF ? undefined : pollReady(branches, startIndex(count), missed);
  if (outcome !== undefined) return outcome;
  const alternative = elseOf(branches);
  if (alternative === undefined) return undefined;
  for (const name of Object.keys(branches)) {
    if (name !== 'else' && kindOf(branches[name], name) !== OFF && !missed?.has(name)) return undefined;
  }
  return { branch: 'else', value: (alternative as () => unknown)() };
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
