import type { CancellationToken, Source } from '@quiesce/cancellation-token';
import type { Match } from './match.ts';

/** Switches a branch off for this call, as Tokio's `, if …`. */
export type Off = false | null | undefined;

/** Work that `select` starts, cancels when it loses, and always awaits. */
export type BranchFunction = (token: CancellationToken) => unknown;

/** What `trySelect` can ask: whatever answers at once. */
export type ReadyBranch = Source<unknown> | AbortSignal | Match<unknown, Source<unknown> | AbortSignal> | Off;

/** What can stand behind a name. A source is recognised before a thenable, a thenable before a function. */
export type Branch = Source<unknown> | AbortSignal | PromiseLike<unknown> | BranchFunction | Match<unknown> | Off;

/** The compile error for a name that JavaScript would move to the front, whatever the order in the source. */
interface IntegerLikeNamesAreReordered {
  readonly 'give the branch a name that is not a number': never;
}

/** The compile error for a name that nobody would see. */
interface SymbolsAreNoNames {
  readonly 'give the branch a name that is a string': never;
}

/** What `select` takes: branches by name, and `else`. */
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

/** A function that lost and fulfilled all the same. */
export interface Late {
  /** The name of its branch. */
  readonly branch: string;
  /** What it fulfilled with. */
  readonly value: unknown;
}

/** The outcome of each branch that can win; an index into it is what a hover shows, and not this name. */
export type Outcomes<B> = {
  [K in keyof B]-?: [Exclude<B[K], Off>] extends [never]
    ? never
    : {
        readonly branch: K;
        readonly value: BranchValue<Exclude<B[K], Off>>;
        /** Functions that lost and fulfilled all the same, in order of declaration; absent when there are none. */
        readonly late?: readonly Late[];
      };
};

/** What `select` gives: which branch won, and its value; a discriminated union over the names. */
export type Outcome<B> = Outcomes<B>[keyof B];

/** An outcome, when nothing is known of the names. */
export interface AnyOutcome {
  /** The name of the branch that won. */
  readonly branch: string;
  /** What it won with. */
  readonly value: unknown;
  /** Functions that lost and fulfilled all the same; absent when there are none. */
  late?: readonly Late[];
}

/** The literal, when nothing is known of it. */
export type AnyBranches = Readonly<Record<string, unknown>>;
