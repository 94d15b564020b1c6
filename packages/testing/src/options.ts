import { show } from './errors.ts';
import { realProcess } from './host.ts';
import type { ExploreReport } from './report.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

/** Options for `explore`. */
export interface ExploreOptions {
  /**
   * How many times a schedule may deviate from the default order: an integer from 0, or `Infinity`. Default: 2; 0 in
   * `cancelEverywhere`.
   */
  readonly bound?: number | undefined;
  /** How schedules are chosen. Default: `'systematic'`. */
  readonly strategy?: 'systematic' | 'pct' | 'random' | undefined;
  /** The seed of `'pct'`, `'random'` and `Math.random`: an integer from 0. Default: 1. */
  readonly seed?: number | undefined;
  /** The depth of the bugs that `'pct'` looks for: an integer from 1. Default: 3. */
  readonly depth?: number | undefined;
  /** Ends the exploration after this many schedules or real milliseconds. Default: 5,000 schedules. */
  readonly budget?: { readonly schedules?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** The bound that must be finished within the budget, 0 to `bound`; `Infinity` for all up to `bound`. Default: 1, or `bound` if that is 0. */
  readonly demand?: number | undefined;
  /** Which events start inside the step of another. Default: `'cancel'`. */
  readonly overlap?: 'none' | 'cancel' | 'all' | undefined;
  /** Whether events also arrive after the next timer could fire. Default: `true`. */
  readonly late?: boolean | undefined;
  /** Says of two event names that their order makes no difference. Default: never. */
  readonly commutes?: ((a: string, b: string) => boolean) | undefined;
  /** A schedule string, `error.schedule`: only that schedule is run. Default: `QUIESCE_REPLAY` of the environment. */
  readonly replay?: string | undefined;
  /** Whether operations and timers that are pending at the end fail the test. Default: `'fail'`. */
  readonly leftovers?: 'fail' | 'ignore' | undefined;
  /** Types of real resources that the test may create. Default: none. */
  readonly ignore?: readonly string[] | undefined;
  /** After how many timers and steps a slow event is first again: integers from 1. Default: 8 and 50. */
  readonly fairAfter?: { readonly timers?: number | undefined; readonly steps?: number | undefined } | undefined;
  /** The longest run: an integer from 1. Default: 1,000. */
  readonly steps?: number | undefined;
  /** Whether timers, time and `Math.random` are replaced. Default: `true`. */
  readonly globals?: boolean | undefined;
  /** The time at the start of each run, as a date or in ms since 1970. Default: 2030-01-01 UTC. */
  readonly now?: Date | number | undefined;
  /** Called at most once a second while the exploration runs. */
  readonly progress?: ((report: ExploreReport) => void) | undefined;
}

/** Options for `cancelEverywhere`. */
export interface CancelEverywhereOptions extends ExploreOptions {
  /** How the test may end after a cancellation. Default: `'reason or value'`. */
  readonly outcome?: 'reason or value' | 'reason' | 'any' | undefined;
}

/** The options, checked and complete. */
export interface Settings {
  readonly call: string;
  readonly cancel: boolean;
  readonly bound: number;
  readonly strategy: 'systematic' | 'pct' | 'random';
  readonly seed: number;
  readonly depth: number;
  readonly schedules: number;
  readonly ms: number;
  readonly demand: number;
  readonly overlap: 'none' | 'cancel' | 'all';
  readonly late: boolean;
  readonly commutes: ((a: string, b: string) => boolean) | undefined;
  readonly replay: Schedule | undefined;
  readonly leftovers: boolean;
  readonly ignore: ReadonlySet<string>;
  readonly fairAfter: { readonly timers: number; readonly steps: number };
  readonly steps: number;
  readonly globals: boolean;
  readonly now: number;
  readonly progress: ((report: ExploreReport) => void) | undefined;
  readonly outcome: 'reason or value' | 'reason' | 'any';
}

const known =
  'bound strategy seed depth budget demand overlap late commutes replay leftovers ignore fairAfter steps globals now progress'.split(
    ' ',
  );

/** @throws TypeError or RangeError that names the option */
export function checkSettings(call: string, options: unknown): Settings {
  const cancel = call === 'cancelEverywhere';
  const given = checkKnown(call, '', options, cancel ? [...known, 'outcome'] : known) as CancelEverywhereOptions;
  const budget = checkKnown(call, 'budget', given.budget, ['schedules', 'ms']) as { schedules?: number; ms?: number };
  const fairAfter = checkKnown(call, 'fairAfter', given.fairAfter, ['timers', 'steps']) as {
    timers?: number;
    steps?: number;
  };
  const count = (name: string, value: unknown, least: number, fallback: number, unlimited = false): number =>
    checkCount(`${call}: ${name}`, value, least, fallback, unlimited);
  const bound = count('bound', given.bound, 0, cancel ? 0 : 2, true);
  const demand = count('demand', given.demand, 0, Math.min(1, bound), true);
  const isDemand = demand <= bound || demand === Number.POSITIVE_INFINITY;
  checkNumber(isDemand, `${call}: demand`, `0 to bound (${bound}), or Infinity`, demand);
  const ms = budget.ms ?? Number.POSITIVE_INFINITY;
  checkNumber(typeof ms === 'number' && ms > 0, `${call}: budget.ms`, 'milliseconds above 0', ms);
  const replay = given.replay ?? realProcess?.env?.['QUIESCE_REPLAY'];
  if (replay !== undefined && typeof replay !== 'string')
    throw wrongKind(`${call}: replay`, 'a schedule string', replay);
  return {
    call,
    cancel,
    bound,
    strategy: choice(call, 'strategy', given.strategy, ['systematic', 'pct', 'random']),
    seed: count('seed', given.seed, 0, 1),
    depth: count('depth', given.depth, 1, 3),
    schedules: count('budget.schedules', budget.schedules, 1, 5_000, true),
    ms,
    demand,
    overlap: choice(call, 'overlap', given.overlap, ['cancel', 'none', 'all']),
    late: flag(call, 'late', given.late),
    commutes: optionalFunction(call, 'commutes', given.commutes),
    replay:
      replay === undefined || replay === ''
        ? undefined
        : parseSchedule(given.replay === undefined ? `${call}: QUIESCE_REPLAY` : `${call}: replay`, replay),
    leftovers: choice(call, 'leftovers', given.leftovers, ['fail', 'ignore']) === 'fail',
    ignore: names(call, given.ignore),
    fairAfter: {
      timers: count('fairAfter.timers', fairAfter.timers, 1, 8),
      steps: count('fairAfter.steps', fairAfter.steps, 1, 50),
    },
    steps: count('steps', given.steps, 1, 1_000),
    globals: flag(call, 'globals', given.globals),
    now: startTime(call, given.now),
    progress: optionalFunction(call, 'progress', given.progress),
    outcome: choice(call, 'outcome', given.outcome, ['reason or value', 'reason', 'any']),
  };
}

/** Returns an object of options, after a check that each of them exists. */
export function checkKnown(call: string, option: string, value: unknown, allowed: readonly string[]): object {
  if (value === undefined) return {};
  const what = option === '' ? `${call}: the options` : `${call}: ${option}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongKind(what, 'an object', value);
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown === undefined) return value;
  const name = option === '' ? unknown : `${option}.${unknown}`;
  throw new TypeError(`${call}: there is no option ${show(name)}; the options are ${allowed.join(', ')}`);
}

/** @throws TypeError when `value` is not a number; otherwise RangeError */
export function checkNumber(isRight: boolean, what: string, expected: string, value: unknown): void {
  if (isRight) return;
  throw new (typeof value === 'number' ? RangeError : TypeError)(`${what} must be ${expected}, got ${show(value)}`);
}

export function wrongKind(what: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${what} must be ${expected}, got ${show(value)}`);
}

export function checkCount(what: string, value: unknown, least: number, fallback: number, unlimited = false): number {
  if (value === undefined) return fallback;
  const count = value as number;
  const isRight = (Number.isSafeInteger(count) && count >= least) || (unlimited && count === Number.POSITIVE_INFINITY);
  checkNumber(isRight, what, `an integer from ${least}${unlimited ? ', or Infinity' : ''}`, value);
  return count;
}

/** The first of `allowed` is the default. */
export function choice<const T extends string>(call: string, name: string, value: unknown, allowed: readonly T[]): T {
  if (value === undefined) return allowed[0] as T;
  if (allowed.includes(value as T)) return value as T;
  throw wrongKind(`${call}: ${name}`, allowed.map((one) => `'${one}'`).join(' or '), value);
}

export function flag(call: string, name: string, value: unknown, fallback = true): boolean {
  if (value === undefined) return fallback;
  if (typeof value === 'boolean') return value;
  throw wrongKind(`${call}: ${name}`, 'true or false', value);
}

export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw wrongKind(what, 'a function', value);
}

function optionalFunction<T>(call: string, name: string, value: T | undefined): T | undefined {
  if (value !== undefined) checkFunction(`${call}: ${name}`, value);
  return value;
}

function names(call: string, value: unknown): ReadonlySet<string> {
  if (value === undefined) return new Set();
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return new Set(value);
  throw wrongKind(`${call}: ignore`, 'an array of resource types', value);
}

function startTime(call: string, value: unknown): number {
  if (value === undefined) return Date.UTC(2030, 0, 1);
  const ms = (typeof (value as Date)?.getTime === 'function' ? (value as Date).getTime() : value) as number;
  const isTime = Number.isInteger(ms) && Math.abs(ms) <= 8.64e15;
  checkNumber(isTime, `${call}: now`, 'a valid date or whole milliseconds since 1970', ms);
  return ms;
}
