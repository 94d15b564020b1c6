import { CancellationToken, consumeBudget } from '@quiesce/cancellation-token';
import type { AnyBranches, AnyOutcome, Branches, Outcomes } from './branches.ts';
import { otherwise } from './else.ts';
import { inspect, KINDS, look, refuseCancelled, rememberAll } from './look.ts';
import { type CleanupOptions, limitOf } from './limit.ts';
import { kindOf, MATCH, OFF, PROMISE } from './kinds.ts';
import { add, Race, run } from './race.ts';
import { inOrder, type Start, starter } from './start.ts';

/** How a select waits. */
export interface SelectOptions extends CleanupOptions {
  /** Cancels the select itself: losers are cancelled and awaited, then it rejects with the reason, verbatim. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Chooses the branch that is looked at first: a number from 0 to below 1, as `Math.random`, which is the default. */
  readonly random?: (() => number) | undefined;
}

/** The type of {@link select}. */
export interface Select {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): Promise<Outcomes<B>[keyof B]>;
  /** The same, but looks at the branches in the order in which they are written: put the token first. */
  biased<B extends Branches<B>>(branches: B, options?: Omit<SelectOptions, 'random'>): Promise<Outcomes<B>[keyof B]>;
}

/**
 * Waits for the first of several things, takes that one and leaves the others untouched.
 *
 * A branch is a source (token, receiver, timer, task), an `AbortSignal`, a promise, a function `(token) => promise`, or
 * `false`, `null`, `undefined`, which switch it off. `else: () => value` is taken when every branch is off.
 *
 * **Timing.** Sources that are ready are taken synchronously inside the call; then no function is started. Otherwise
 * functions are started, in order of declaration, and the first wake-up decides, synchronously; the promise settles
 * when every function that lost has been cancelled and has settled. That a promise has settled is known one microtask
 * after a select first looked at it, so a source that is ready now goes before it.
 *
 * **Cancel safety.** A source that loses has given nothing; a promise that loses is left alone, and its rejection is
 * never "unhandled"; a function that loses is cancelled and awaited, and what it returns all the same is in `late`.
 *
 * **Fairness.** The branch that is looked at first is random, then cyclically; `select.biased` goes by the order of
 * declaration, and a branch that is always ready then starves those behind it.
 *
 * @param branches names and branches, as plain values: a getter is read several times; `else` is reserved
 * @param options `signal` cancels the select; `random` replaces `Math.random`
 * @returns which branch won, and its value
 * @throws the error of the branch that failed first, verbatim (`branchOf` names it); the reason, when cancelled;
 *   {@link SelectError} when every branch is off and there is no `else`, or when losers failed with errors of their own;
 *   TypeError for what cannot be a branch, before anything is polled or started
 * @see tokio::select! (tokio 1.53)
 * @example
 * ```ts
 * const stop = new CancellationToken();
 * const outcome = await select({
 *   stopped: stop,
 *   page: async ({ signal }) => 'the page',
 * });
 * console.log(outcome.branch, outcome.value); // => page the page
 * ```
 */
export const select: Select = /* @__PURE__ */ Object.assign(
  (branches: AnyBranches, options?: SelectOptions) => begin(branches, options, starter(options?.random)) as never,
  { biased: (branches: AnyBranches, options?: SelectOptions) => begin(branches, options, inOrder) as never },
);

/** Never throws: whatever is wrong is a rejection, as of every function that returns a promise. */
function begin(branches: AnyBranches, options: SelectOptions | undefined, first: Start): Promise<AnyOutcome> {
  try {
    return start(branches, options, first);
  } catch (error) {
    rememberAll(branches);
    // A failure takes its turn too: a loop over what fails at once must not starve the event loop.
    const turn = consumeBudget();
    return turn === undefined ? Promise.reject(error) : turn.then(() => Promise.reject(error));
  }
}

function start(branches: AnyBranches, options: SelectOptions | undefined, first: Start): Promise<AnyOutcome> {
  const found = inspect(branches);
  const kinds = found % KINDS;
  const limit = options === undefined ? undefined : limitOf(options);
  const outer = options?.signal === undefined ? undefined : CancellationToken.from(options.signal);
  if (outer !== undefined) refuseCancelled(outer);
  if (kinds === OFF) return otherwise(branches['else']);
  const count = (found - kinds) / KINDS;
  const from = first(count);
  const missed = kinds & MATCH ? new Set<string>() : undefined;
  const outcome = look(branches, from, missed);
  if (outcome !== undefined) return settled(outcome, branches, kinds);
  const race = new Race(count, first, outer, limit, false);
  addAll(race, branches, missed);
  if (missed === undefined) return run(race, from);
  // Only patterns can switch off what was on.
  if (race.open === 0) return otherwise(branches['else']);
  return run(race, from).then((outcome) => outcome ?? otherwise(branches['else']));
}

/** Adds the branches that are on. */
export function addAll(race: Race, branches: AnyBranches, missed?: Set<string>): void {
  let index = 0;
  for (const name in branches) {
    if (name === 'else') continue;
    const branch = branches[name];
    const kind = kindOf(branch, name);
    if (kind !== OFF && !missed?.has(name)) add(race, name, index, kind, branch);
    index++;
  }
}

function settled(outcome: AnyOutcome, branches: AnyBranches, kinds: number): Promise<AnyOutcome> {
  if (kinds & PROMISE) rememberAll(branches);
  const turn = consumeBudget();
  return turn === undefined ? Promise.resolve(outcome) : turn.then(() => outcome);
}
