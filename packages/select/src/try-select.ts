import { callable, checkOptions, refuseExtra } from '@quiesce/internal';
import type { AnyBranches, AnyOutcome, Branches, Outcomes, ReadyBranch } from './branches.ts';
import { elseOf } from './else.ts';
import { FUNCTION, kindOf, MATCH, OFF, PROMISE } from './kinds.ts';
import { inspect, KINDS, look } from './look.ts';
import { handleAll, refusal } from './refused.ts';
import { anywhere, inOrder, type SelectOptions, type Start, starter } from './settings.ts';

/** The type of {@link trySelect}. */
export interface TrySelect {
  <B extends Branches<B, ReadyBranch>>(
    branches: B,
    options?: Pick<SelectOptions, 'random'>,
  ): Outcomes<B>[keyof B] | undefined;
  /** The same, but looks at the branches in the order in which they are written. */
  biased<B extends Branches<B, ReadyBranch>>(branches: B): Outcomes<B>[keyof B] | undefined;
}

/**
 * Takes what is ready now, as `select` would, and never waits: Go's `select` with a `default`.
 *
 * **Timing.** Synchronous; nothing is registered, and nothing is started.
 *
 * **Cancel safety.** At most one value is taken, and it is returned; values that do not fit a `match` are lost.
 *
 * **Fairness.** As `select`: starts anywhere, and goes round; `trySelect.biased` goes by the order of declaration.
 *
 * @param branches names and branches: sources, tokens, signals, `match` of these, or what switches a branch off; `else`
 *   is taken when every branch is off, and what it returns is not awaited
 * @param options `random` replaces `Math.random`
 * @returns which branch was ready, and its value; `undefined`: none is
 * @throws the error of a branch that is ready with one, verbatim (`branchOf` names it); TypeError for a promise, a
 *   function or anything else that cannot answer at once; RangeError when `random` gives no number from 0 to below 1
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
    return attempt('trySelect', branches, options === undefined ? anywhere : startOf(branches, options)) as never;
  },
  {
    biased: (branches: AnyBranches, extra?: unknown) => {
      if (extra !== undefined) handleAll(branches);
      refuseExtra('trySelect.biased', extra, 'write trySelect.biased(branches)');
      return attempt('trySelect.biased', branches, inOrder) as never;
    },
  },
);

function startOf(branches: AnyBranches, options: SelectOptions): Start {
  try {
    checkOptions('trySelect', options, ['random']);
    return starter('trySelect', options.random);
  } catch (error) {
    throw refusal(branches, error, 'trySelect');
  }
}

function attempt(call: string, branches: AnyBranches, first: Start): AnyOutcome | undefined {
  const found = inspect(branches, call);
  const kinds = found % KINDS;
  if (kinds & (PROMISE | FUNCTION)) refuse(call, branches);
  const missed = kinds & MATCH ? new Set<string>() : undefined;
  const count = (found - kinds) / KINDS;
  const outcome = kinds === OFF ? undefined : look(branches, first(count), missed);
  if (outcome !== undefined) return outcome;
  const otherwise = elseOf(branches);
  if (otherwise === undefined) return undefined;
  for (const name of Object.keys(branches)) {
    if (name !== 'else' && kindOf(branches[name], name) !== OFF && !missed?.has(name)) return undefined;
  }
  return { branch: 'else', value: (otherwise as () => unknown)() };
}

function refuse(call: string, branches: AnyBranches): never {
  handleAll(branches);
  for (const name of Object.keys(branches)) {
    if (name === 'else' || !(kindOf(branches[name], name) & (PROMISE | FUNCTION))) continue;
    throw new TypeError(
      `${call}: branch ${JSON.stringify(name)} is a promise or a function, which never answers at once; use select`,
    );
  }
  throw new TypeError(`${call}: the branches changed while they were looked at`);
}
