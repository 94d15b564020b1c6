import { CancellationToken, consumeBudget, isSource, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { absolve, blame } from './branch-of.ts';
import type { AnyOutcome, Branches, Outcome } from './branches.ts';
import { SelectError } from './errors.ts';
import { kindOf, OFF, PROMISE, SIGNAL, SOURCE } from './kinds.ts';
import { Race } from './race.ts';
import { recall, remember, Watched } from './watched.ts';

/** How a select waits. */
export interface SelectOptions {
  /** Cancels the select itself: losers are cancelled and awaited, then it rejects with the reason, verbatim. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Chooses the branch that is looked at first: a number from 0 to below 1, as `Math.random`, which is the default. */
  readonly random?: (() => number) | undefined;
}

type AnyBranches = Readonly<Record<string, unknown>>;

/** The type of {@link select}. */
export interface Select {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): Promise<Outcome<B>>;
  /** The same, but looks at the branches in the order in which they are written: put the token first. */
  biased<B extends Branches<B>>(branches: B, options?: Omit<SelectOptions, 'random'>): Promise<Outcome<B>>;
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
  // All are looked at before any is polled: a poll may consume, and a mistake further down must not lose that.
  let count = 0;
  let kinds = 0;
  for (const name in branches) {
    const branch = branches[name];
    if (name === 'else') {
      refuseElse(branch);
      continue;
    }
    count++;
    kinds |= kindOf(branch, name);
  }
  const outer = options?.signal === undefined ? undefined : CancellationToken.from(options.signal);
  if (outer !== undefined) refuseCancelled(outer);
  if (kinds === OFF) return otherwise(branches);
  const from = first(count);
  const outcome = pollAll(branches, from);
  if (outcome !== undefined) return settled(outcome, branches, kinds);
  return race(branches, new Race(count, first, outer), from);
}

function refuseElse(otherwise: unknown): void {
  if (otherwise === undefined || typeof otherwise === 'function') return;
  throw new TypeError(`select: else must be a function, got ${show(otherwise)}`);
}

/** A select whose own token is cancelled takes nothing, and its reason is no branch's error. */
function refuseCancelled(outer: CancellationToken): void {
  const reason = outer[source].poll();
  if (reason === PENDING) return;
  absolve(reason);
  throw reason;
}

/** Chooses the branch that is looked at first, of so many, switched-off ones included. */
type Start = (count: number) => number;

function inOrder(): number {
  return 0;
}

function anywhere(count: number): number {
  return Math.floor(Math.random() * count);
}

function starter(random: (() => number) | undefined): Start {
  if (random === undefined) return anywhere;
  return (count) => {
    const index = Math.floor(random() * count);
    if (index >= 0 && index < count) return index;
    throw new RangeError('select: random must return a number from 0 to below 1');
  };
}

/** Every branch is off. */
async function otherwise(branches: AnyBranches): Promise<AnyOutcome> {
  const otherwise = branches['else'];
  if (typeof otherwise === 'function') return { branch: 'else', value: await (otherwise as () => unknown)() };
  throw new SelectError('every branch is off and there is no else: add `else: () => …` or keep one branch on', []);
}

/** Polls what can be polled: from index `from` to the end, then from the beginning. */
function pollAll(branches: AnyBranches, from: number): AnyOutcome | undefined {
  return poll(branches, from, Number.POSITIVE_INFINITY) ?? (from > 0 ? poll(branches, 0, from) : undefined);
}

function poll(branches: AnyBranches, from: number, to: number): AnyOutcome | undefined {
  let index = -1;
  for (const name in branches) {
    if (name === 'else') continue;
    index++;
    if (index < from || index >= to) continue;
    const branch = branches[name];
    try {
      const value = pollOne(branch, name);
      if (value !== PENDING) return { branch: name, value };
    } catch (error) {
      blame(error, name);
      throw error;
    }
  }
  return undefined;
}

function pollOne(branch: unknown, name: string): unknown {
  switch (kindOf(branch, name)) {
    case SOURCE:
      return (branch as Source<unknown>)[source].poll();
    case SIGNAL:
      // A signal of ours may be marked and not have fired yet, and who parks on it then is not woken.
      return (branch as AbortSignal).aborted
        ? (branch as AbortSignal).reason
        : CancellationToken.from(branch as AbortSignal)[source].poll();
    case PROMISE: {
      const known = recall(branch as PromiseLike<unknown>);
      return known === undefined ? PENDING : known.poll();
    }
    default:
      return PENDING;
  }
}

function settled(outcome: AnyOutcome, branches: AnyBranches, kinds: number): Promise<AnyOutcome> {
  if (kinds & PROMISE) rememberAll(branches);
  const turn = consumeBudget();
  return turn === undefined ? Promise.resolve(outcome) : turn.then(() => outcome);
}

/** Gives every promise its lasting reaction: it has lost before it could be waited for. */
function rememberAll(branches: AnyBranches): void {
  for (const name in branches) {
    const branch = branches[name];
    if (isSource(branch) || !isThenable(branch)) continue;
    if (recall(branch) === undefined) remember(branch, new Watched(branch));
  }
}

/** Nothing is ready: waits. The first poll began at index `from`. */
function race(branches: AnyBranches, made: Race, from: number): Promise<AnyOutcome> {
  let index = 0;
  for (const name in branches) {
    if (name === 'else') continue;
    const branch = branches[name];
    const kind = kindOf(branch, name);
    if (kind !== OFF) made.add(name, index, kind, branch);
    index++;
  }
  return made.run(from);
}
