import { CancellationToken, type Clock, systemClock, type Unfinished } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions, show } from '@quiesce/internal';

/** Options for `select` and `selectEach`. */
export interface SelectOptions {
  /** Cancels the select itself. It cancels and awaits the losers, and then rejects with the reason, verbatim. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Chooses the branch that is polled first: returns a number from 0 to below 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /**
   * How long the select waits for losing functions to end, in milliseconds from 0. Default: no limit. After that the select
   * rejects with a `CleanupTimeoutError`.
   */
  readonly cleanupTimeout?: number | undefined;
  /** Source of time for `cleanupTimeout`. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
}

const BIASED_OPTIONS = ['signal', 'cleanupTimeout', 'clock'];
const OPTIONS = [...BIASED_OPTIONS, 'random'];

/** Chooses the index of the branch to poll first. `count` includes branches that are off. */
export type StartIndex = (count: number) => number;

/** The settings of a race. */
export interface Settings {
  readonly startIndex: StartIndex;
  /** The token of `signal`, or `undefined`. */
  readonly outer: CancellationToken | undefined;
  readonly cleanupLimit: CleanupLimit | undefined;
  /** Whether it is a `selectEach`: a value ends a round, and not the race. */
  readonly isLoop: boolean;
}

/** The limit that `cleanupTimeout` sets. */
export class CleanupLimit {
  readonly ms: number;
  readonly clock: Clock;
  /** Captures the stack of the call, for the error. */
  readonly caller: Error = new Error();
  /** The start time of each running function. */
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

export function firstIndex(): number {
  return 0;
}

export function randomIndex(count: number): number {
  return Math.floor(Math.random() * count);
}

/** Returns a random start, which uses the user's random function if there is one. */
export function randomStart(call: string, random: (() => number) | undefined): StartIndex {
  if (random === undefined) return randomIndex;
  checkFunction(`${call}: random`, random);
  return (count) => {
    const index = Math.floor(random() * count);
    if (index >= 0 && index < Math.max(count, 1)) return index;
    throw new RangeError(`${call}: random must return a number from 0 to below 1, got ${show(index / count)}`);
  };
}

/**
 * Reads the options. Without options it allocates nothing.
 *
 * @throws TypeError for unknown options, and for those of the wrong type; RangeError when `cleanupTimeout` is negative or
 *   NaN
 */
export function settingsOf(options: SelectOptions | undefined, isBiased: boolean, isLoop: boolean): Settings {
  if (options === undefined) return isLoop ? (isBiased ? biasedLoop : loop) : isBiased ? biased : random;
  const call = (isLoop ? 'selectEach' : 'select') + (isBiased ? '.biased' : '');
  checkOptions(call, options, isBiased ? BIASED_OPTIONS : OPTIONS);
  const { signal, cleanupTimeout: ms, clock = systemClock } = options;
  const startIndex = isBiased ? firstIndex : randomStart(call, options.random);
  const outer = signal === undefined ? undefined : CancellationToken.from(signal, `${call}: signal`);
  return { startIndex, outer, cleanupLimit: cleanupLimitOf(ms, clock), isLoop };
}

function cleanupLimitOf(ms: number | undefined, clock: Clock): CleanupLimit | undefined {
  if (ms === undefined || ms === Number.POSITIVE_INFINITY) return undefined;
  return new CleanupLimit(ms, clock);
}

const random: Settings = /* @__PURE__ */ preset(randomIndex, false);
const biased: Settings = /* @__PURE__ */ preset(firstIndex, false);
const loop: Settings = /* @__PURE__ */ preset(randomIndex, true);
const biasedLoop: Settings = /* @__PURE__ */ preset(firstIndex, true);

function preset(startIndex: StartIndex, isLoop: boolean): Settings {
  return { startIndex, outer: undefined, cleanupLimit: undefined, isLoop };
}
