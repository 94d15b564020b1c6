import {
  CancellationToken,
  isSource,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { type Branches, type Outcome, type SelectOptions, select, trySelect } from '@quiesce/select';
import { Effect } from 'effect';
import { effectFromWork, failureWith, type WorkOptions } from './effect-from-work.ts';
import { take } from './take.ts';

/** Options for `effectFromSelect`. */
export interface EffectSelectOptions<A, E> extends WorkOptions<A, E>, Pick<SelectOptions, 'random'> {
  /** `true` polls the branches in the order in which they are written, as `select.biased`. Default: false. */
  readonly biased?: boolean | undefined;
}

type AnyBranches = Readonly<Record<string, unknown>>;
type AnyOutcome = Outcome<Readonly<Record<string, Source<unknown>>>>;

/**
 * Makes an Effect that waits for the first of several branches, as `select` does. An interruption cancels the select.
 *
 * **Timing.** The Effect calls `branches` each time it runs. Otherwise as `select`.
 *
 * **Cancel safety.** On interruption, running functions are cancelled and awaited. When all branches are sources, tokens and
 * signals, an interrupted select has taken nothing. With promises, functions or `match` among the branches, an outcome that
 * was decided before the interruption goes to `onLate`.
 *
 * **Fairness.** As `select`: it starts at a random branch, unless `biased` is set.
 *
 * @param branches makes the branches, as for `select`
 * @param options `biased`, `random`; `catch` gives the failures a type; `onLate`
 * @returns the winning branch and its value; fails with the rejection of `select`
 * @throws TypeError when `branches` is not a function
 * @see `select`; `Effect.raceFirst` (effect 4), whose losers may have consumed a value
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const [tx, rx] = channel<string>(1);
 * const stop = new CancellationToken();
 * const next = effectFromSelect(() => ({ stop, job: rx }), { biased: true });
 * await tx.send('print');
 * console.log(await runEffect(next)); // => { branch: 'job', value: 'print' }
 * ```
 */
export function effectFromSelect<B extends Branches<B>, E = unknown>(
  branches: () => B,
  options: EffectSelectOptions<Outcome<B>, E> = {},
): Effect.Effect<Outcome<B>, E> {
  checkFunction('effectFromSelect', branches);
  checkOptions('effectFromSelect', options, ['catch', 'onLate', 'random'], ['biased']);
  const failure = failureWith('effectFromSelect', options);
  if (options.random !== undefined) checkFunction('effectFromSelect: random', options.random);
  const { catch: map, onLate } = options;
  const start = (): Effect.Effect<AnyOutcome, E> => {
    const given = branches() as AnyBranches;
    if (!isPlain(given))
      return effectFromWork((token) => promised(given, token, options), { catch: map, onLate } as never) as never;
    return take(
      () => new FirstOf(given, options),
      (outcome) => Effect.succeed(outcome),
      (error) => Effect.suspend(() => Effect.failCause(failure(error))),
    );
  };
  return Effect.suspend(() => {
    try {
      return start();
    } catch (error) {
      return Effect.failCause(failure(error));
    }
  }) as Effect.Effect<Outcome<B>, E>;
}

function promised(
  branches: AnyBranches,
  signal: CancellationToken,
  { biased, random }: EffectSelectOptions<never, unknown>,
): Promise<AnyOutcome> {
  if (biased === true) return select.biased(branches as never, { signal });
  return select(branches as never, { signal, ...(random !== undefined && { random }) });
}

/** Whether polling and parking is enough for every branch. When every branch is off, `select` decides. */
function isPlain(branches: AnyBranches): boolean {
  let isOn = false;
  for (const name of Object.keys(branches)) {
    const branch = branches[name];
    if (name === 'else' || isOff(branch)) continue;
    if (!isSource(branch) && !(branch instanceof AbortSignal)) return false;
    isOn = true;
  }
  return isOn;
}

/** Several sources as one source, for one waiter. It is ready as soon as one of them is. */
class FirstOf implements SourceProtocol<AnyOutcome> {
  readonly #poll: () => ReturnType<typeof trySelect<Readonly<Record<string, Source<unknown>>>>>;
  /** One waiter for each source, parked while a waiter is parked here. */
  readonly #parts: { readonly on: SourceProtocol<unknown>; readonly waiter: Waiter }[] = [];
  /** The parked waiter, or `undefined`. */
  #parked: Waiter | undefined = undefined;

  constructor(given: AnyBranches, { biased, random }: EffectSelectOptions<never, unknown>) {
    // `else` counts only when every branch is off, and at least one is on here.
    const { else: _, ...others } = given;
    const branches = others as Readonly<Record<string, Source<unknown>>>;
    if (biased === true) this.#poll = () => trySelect.biased(branches);
    else this.#poll = () => trySelect(branches, random === undefined ? {} : { random });
    for (const branch of Object.values(others)) {
      if (isOff(branch)) continue;
      const on = isSource(branch) ? branch[source] : CancellationToken.from(branch as AbortSignal)[source];
      this.#parts.push({
        on,
        waiter: waiter(() => this.#wake()),
      });
    }
  }

  poll(): AnyOutcome | typeof PENDING {
    const ready = this.#poll();
    return ready.ok ? { branch: ready.branch, value: ready.value } : PENDING;
  }

  park(waiter: Waiter): void {
    this.#parked = waiter;
    for (const part of this.#parts) {
      part.on.park(part.waiter);
      // Parking may run any code, a wake-up too: see invariant 4 at the head of cancellation-token's source.ts.
      if (this.#parked === undefined) {
        this.#unparkAll();
        return;
      }
    }
  }

  unpark(waiter: Waiter): void {
    if (this.#parked === waiter) this.#unparkAll();
  }

  #wake(): void {
    const parked = this.#parked;
    this.#unparkAll();
    parked?.wake();
  }

  #unparkAll(): void {
    this.#parked = undefined;
    for (const { on, waiter } of this.#parts) on.unpark(waiter);
  }
}

function isOff(branch: unknown): boolean {
  return branch === false || branch === null || branch === undefined;
}
