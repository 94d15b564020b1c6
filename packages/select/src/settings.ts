import { CancellationToken, type Clock, systemClock, type Unfinished } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions, show } from '@quiesce/internal';

/** How a select waits. */
export interface SelectOptions {
  /** Cancels the select itself: losers are cancelled and awaited, then it rejects with the reason, verbatim. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Chooses the branch that is looked at first: a number from 0 to below 1, as `Math.random`, which is the default. */
  readonly random?: (() => number) | undefined;
  /**
   * How long functions that lost are waited for, in milliseconds from 0; default: as long as they take. Past it the
   * select rejects with a `CleanupTimeoutError`.
   */
  readonly cleanupTimeout?: number | undefined;
  /** Where `cleanupTimeout` takes time from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

const BIASED = ['signal', 'cleanupTimeout', 'clock'];
const OPTIONS = [...BIASED, 'random'];

/** Chooses the branch that is looked at first, of so many, switched-off ones included. */
export type Start = (count: number) => number;

/** What was said of a race. */
export interface Settings {
  readonly start: Start;
  readonly outer: CancellationToken | undefined;
  readonly limit: Limit | undefined;
  /** It is a loop: a value ends a turn, and not the race. */
  readonly isLoop: boolean;
}

/** How long functions that lost are waited for. */
export class Limit {
  readonly ms: number;
  readonly clock: Clock;
  /** Shows who has called the select. */
  readonly caller: Error = new Error();
  /** When each function that runs was started. */
  readonly #starts: Map<object, number> = new Map();

  constructor(ms: number, clock: Clock) {
    this.ms = ms;
    this.clock = clock;
  }

  started(entry: object): void {
    this.#starts.set(entry, this.clock.now());
  }

  unfinished(entry: { readonly name: string }): Unfinished {
    return { name: entry.name, ageMs: this.clock.now() - (this.#starts.get(entry) ?? 0) };
  }
}

export function inOrder(): number {
  return 0;
}

export function anywhere(count: number): number {
  return Math.floor(Math.random() * count);
}

/** A random start, by the user's random source if there is one. */
export function starter(call: string, random: (() => number) | undefined): Start {
  if (random === undefined) return anywhere;
  checkFunction(`${call}: random`, random);
  return (count) => {
    const index = Math.floor(random() * count);
    if (index >= 0 && index < Math.max(count, 1)) return index;
    throw new RangeError(`${call}: random must return a number from 0 to below 1, got ${show(index / count)}`);
  };
}

/**
 * Reads the options; without any, nothing is made.
 *
 * @throws TypeError when the signal is none, and for unknown options; RangeError when `cleanupTimeout` is no time
 */
export function settingsOf(options: SelectOptions | undefined, isBiased: boolean, isLoop: boolean): Settings {
  if (options === undefined) return isLoop ? (isBiased ? biasedLoop : loop) : isBiased ? biased : random;
  const call = (isLoop ? 'selectEach' : 'select') + (isBiased ? '.biased' : '');
  checkOptions(call, options, isBiased ? BIASED : OPTIONS);
  const { signal, cleanupTimeout: ms, clock = systemClock } = options;
  const start = isBiased ? inOrder : starter(call, options.random);
  const outer = signal === undefined ? undefined : CancellationToken.from(signal, `${call}: signal`);
  return { start, outer, limit: limitOf(ms, clock), isLoop };
}

function limitOf(ms: number | undefined, clock: Clock): Limit | undefined {
  if (ms === undefined || ms === Number.POSITIVE_INFINITY) return undefined;
  return new Limit(ms, clock);
}

const random: Settings = /* @__PURE__ */ preset(anywhere, false);
const biased: Settings = /* @__PURE__ */ preset(inOrder, false);
const loop: Settings = /* @__PURE__ */ preset(anywhere, true);
const biasedLoop: Settings = /* @__PURE__ */ preset(inOrder, true);

function preset(start: Start, isLoop: boolean): Settings {
  return { start, outer: undefined, limit: undefined, isLoop };
}
