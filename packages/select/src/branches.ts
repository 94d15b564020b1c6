// The branches of a call: their types, `else`, and the release of branches when an argument is wrong.

import { type CancellationToken, isSource, type Source, source } from '@quiesce/cancellation-token';
import { isThenable, watchPromise } from '@quiesce/internal';
import { SelectError } from './errors.ts';
import { wrongBranches } from './kinds.ts';
import type { Match } from './match.ts';
import { isMatch, pattern } from './pattern.ts';

/** Switches a branch off for this call, as `, if …` does in Tokio. */
export type Off = false | null | undefined;

/** Work that `select` starts, cancels if it loses, and always awaits. */
export type BranchFunction = (token: CancellationToken) => unknown;

/** A branch for `trySelect`: one that can be polled synchronously. */
export type ReadyBranch = Source<unknown> | AbortSignal | Match<unknown, Source<unknown> | AbortSignal> | Off;

/** A branch. A source is recognised before a thenable, and a thenable before a function. */
export type Branch = Source<unknown> | AbortSignal | PromiseLike<unknown> | BranchFunction | Match<unknown> | Off;

/** The compile error for a numeric name: JavaScript moves such names to the front of an object. */
interface IntegerLikeNamesAreReordered {
  readonly 'give the branch a name that is not a number': never;
}

/** The compile error for a symbol, which would be ignored. */
interface SymbolsAreNoNames {
  readonly 'give the branch a name that is a string': never;
}

/** The argument of `select`: branches by name, and `else`. */
export type Branches<B, Kind = Branch> = {
  readonly [K in keyof B]: K extends 'else'
    ? () => unknown
    : K extends number | `${number}`
      ? IntegerLikeNamesAreReordered
      : K extends symbol
        ? SymbolsAreNoNames
        : Kind;
};

/** The value that a branch wins with. */
export type BranchValue<B> =
  B extends Match<infer T>
    ? T
    : B extends Source<infer T>
      ? T
      : B extends AbortSignal
        ? unknown
        : B extends PromiseLike<unknown>
          ? Awaited<B>
          : B extends (...args: never) => infer R
            ? Awaited<R>
            : never;

/** The value of a function that lost and still fulfilled. */
export interface Late {
  /** The name of its branch. */
  readonly branch: string;
  /** The value that it fulfilled with. */
  readonly value: unknown;
}

/** The outcome of each branch that can win. A hover shows an index into it, and not this name. */
export type Outcomes<B> = {
  [K in keyof B]-?: [Exclude<B[K], Off>] extends [never]
    ? never
    : {
        readonly branch: K;
        readonly value: BranchValue<Exclude<B[K], Off>>;
        /** The functions that lost and still fulfilled, in order of declaration. Absent when there are none. */
        readonly late?: readonly Late[];
      };
};

/** The result of `select`: the winning branch and its value, as a discriminated union over the names. */
export type Outcome<B> = Outcomes<B>[keyof B];

/** The outcome of each branch that `trySelect` can take. A hover shows an index into it, and not this name. */
export type ReadyOutcomes<B> = {
  [K in keyof B]-?: [Exclude<B[K], Off>] extends [never]
    ? never
    : { readonly ok: true; readonly branch: K; readonly value: BranchValue<Exclude<B[K], Off>> };
};

/** An outcome whose branch names are unknown. */
export interface AnyOutcome {
  /** The name of the winning branch. */
  readonly branch: string;
  /** The value that it won with. */
  readonly value: unknown;
  /** The functions that lost and still fulfilled. Absent when there are none. */
  late?: readonly Late[];
}

/** Branches of unknown names and types. */
export type AnyBranches = Readonly<Record<string, unknown>>;

/** The `else` of the object itself. An inherited one, from a class or a polluted prototype, does not count. */
export function elseOf(branches: AnyBranches): unknown {
  return Object.hasOwn(branches, 'else') ? branches['else'] : undefined;
}

/** The outcome of a select whose branches are all off. */
export async function elseOutcome(fn: unknown): Promise<AnyOutcome> {
  if (typeof fn === 'function') return { branch: 'else', value: await (fn as () => unknown)() };
  throw new SelectError('every branch is off and there is no else: add `else: () => …` or keep one branch on', []);
}

/**
 * Lets all calls among the branches return their values, before any branch is polled: a branch that is never polled must not
 * keep a value. The last call goes first, so that several calls of one receiver return their values in order.
 */
export function deferCalls(branches: object): void {
  for (const branch of Object.values(branches).reverse()) {
    const inner = withoutPattern(branch);
    if (isSource(inner)) inner[source].defer?.();
  }
}

/**
 * Releases all branches after a wrong argument: no promise among them becomes an unhandled rejection, and each call that is a
 * source returns its value.
 */
export function releaseBranches(branches: object): void {
  ignoringErrors(() => {
    release(branches);
    // The last one first, as in `deferCalls`.
    for (const name of Object.keys(branches).reverse())
      ignoringErrors(() => release((branches as Record<string, unknown>)[name]));
  });
}

/** Releases one branch, as `releaseBranches` does. */
export function releaseBranch(branch: unknown): void {
  ignoringErrors(() => release(branch));
}

/**
 * Releases all branches, and returns the error for the caller. It names the call that the user wrote, and the real mistake if
 * `branches` is a branch or a list.
 */
export function argumentError(branches: object, error: unknown, call: string): unknown {
  releaseBranches(branches);
  let better = error;
  ignoringErrors(() => {
    better = wrongBranches(branches) ?? error;
  });
  const needsName = call !== 'select' && better instanceof TypeError && better.message.startsWith('select: ');
  return needsName
    ? new TypeError(call + (better as TypeError).message.replace('select', '').replaceAll('select(', `${call}(`))
    : better;
}

function release(branch: unknown): void {
  const inner = withoutPattern(branch);
  if (isSource(inner)) inner[source].defer?.();
  else if (isThenable(inner)) watchPromise(inner);
}

/** The branch inside a pattern, or the branch itself. */
function withoutPattern(branch: unknown): unknown {
  return typeof branch === 'object' && branch !== null && isMatch(branch) ? branch[pattern].branch : branch;
}

/** A value that throws when it is read is no promise. The call already fails for another reason. */
function ignoringErrors(read: () => void): void {
  try {
    read();
  } catch {}
}
