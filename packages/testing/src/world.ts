import type { Clock, Timer, TimerOptions } from '@quiesce/cancellation-token';
import { show } from './errors.ts';
import { fakeFetch } from './fetch.ts';
import { Interruption, WorldSignal } from './interruption.ts';
import { type EffectTime, FailureOutcome, Operation, type OperationKind, showArguments } from './operation.ts';
import { checkCount, checkFunction, checkKnown, checkNumber, choice, flag, wrongKind } from './options.ts';
import { placeHere } from './place.ts';
import { Resource, resourceHandle, resourceOf, type WorldResource } from './resource.ts';
import type { Run } from './run.ts';
import { Stream } from './stream.ts';
import { VirtualTimer } from './timers.ts';
import { type Wrapped, wrapMethods } from './wrap.ts';

/** Options for an operation. */
export interface OperationOptions<Args extends readonly unknown[] = readonly unknown[]> {
  /**
   * When the function runs: as an event of its own between call and answer, with the answer, or at the call.
   * Default: `'between'`.
   */
  readonly effect?: EffectTime | undefined;
  /** Further outcomes, which reject. Default: none. */
  readonly failures?: readonly unknown[] | undefined;
  /** Whether a signal among the arguments, or in the last one, rejects the operation. Default: `true`. */
  readonly abortable?: boolean | undefined;
  /** The operation answers before every timer that fires later than this many ms. Default: it may take any time. */
  readonly within?: number | undefined;
  /** Returns the name of a call. Default: the name and the arguments. */
  readonly label?: ((...args: Args) => string) | undefined;
  /** Whether the operation may be pending at the end. Default: `false`. */
  readonly detached?: boolean | undefined;
}

/** Options for `world.events`. */
export interface EventsOptions {
  /** Whether values keep their order. Default: `true`. */
  readonly ordered?: boolean | undefined;
  /** How many values one step may deliver: an integer from 1. Default: 2. */
  readonly batch?: number | undefined;
}

/** A fake function. Each call is a pending operation; it takes a trailing `{ signal }`, too. */
export type ExternalFunction<Args extends unknown[], Value> = (
  ...args: Args | [...args: Args, options: { readonly signal?: AbortSignal | undefined }]
) => Promise<Value>;

/** The world of one run: fakes, signals, time and checks for the test. */
export class World {
  readonly #run: Run;
  /** A Quiesce `Clock` on the time of the world. */
  readonly clock: Clock;

  /** @internal */
  constructor(run: Run) {
    this.#run = run;
    this.clock = worldClock(run);
  }

  /**
   * Makes a fake function. Each call is a pending operation, which the explorer answers in any order.
   *
   * **Timing.** A function runs as an event of its own between call and answer (`effect`). It must end within its step.
   *
   * **Cancel safety.** A signal among the arguments, or in the last one, rejects the call in the step of the abort. An operation that
   * has not been handled then has no effect.
   *
   * @param name the name of the operation in stories
   * @param answer a function that computes the answer, or the possible outcomes
   * @returns the fake; it takes a trailing `{ signal }`, too
   * @throws TypeError or RangeError when an argument is wrong
   * @example
   * ```ts
   * const seen = new Set<number>();
   * await explore(async (world) => {
   *   let stock = 1;
   *   const read = world.external('read', () => stock);
   *   const buy = world.external('buy', () => void stock--);
   *   const [before] = await Promise.all([read(), buy()]);
   *   seen.add(before);
   * });
   * console.log([...seen].sort()); // => [ 0, 1 ]
   * ```
   */
  external<Args extends unknown[], Value>(
    name: string,
    answer: (...args: Args) => Value,
    options?: OperationOptions<Args>,
  ): ExternalFunction<Args, Exclude<Awaited<Value>, FailureOutcome>>;
  external<Value>(
    name: string,
    outcomes: readonly Value[],
    options?: OperationOptions<never[]>,
  ): (...args: unknown[]) => Promise<Exclude<Value, FailureOutcome>>;
  external(name: string, answer: unknown, options?: OperationOptions<never[]>): (...args: unknown[]) => Promise<never> {
    checkName('world.external', name);
    const kind = operationKind('world.external', name, answer, options);
    const run = this.#run;
    return (...args) => startOperation(run, kind, args) as Promise<never>;
  }

  /**
   * Delivers values as events of their own: frames, clicks, process signals.
   *
   * @throws TypeError or RangeError when an argument is wrong
   */
  events<Value>(
    name: string,
    values: Iterable<Value>,
    deliver: (value: Value) => unknown,
    options?: EventsOptions,
  ): void {
    checkName('world.events', name);
    checkFunction('world.events: deliver', deliver);
    if (typeof (values as Partial<Iterable<Value>> | null | undefined)?.[Symbol.iterator] !== 'function') {
      throw wrongKind('world.events: values', 'iterable', values);
    }
    const { ordered, batch } = checkKnown('world.events', '', options, ['ordered', 'batch']) as EventsOptions;
    const size = checkCount('world.events: batch', batch, 1, 2);
    const run = this.#run;
    const label = run.numbered(name);
    new Stream(
      run,
      label,
      [...values],
      deliver as (v: unknown) => unknown,
      flag('world.events', 'ordered', ordered),
      size,
    );
  }

  /**
   * Makes a signal that the explorer aborts at most once, at any moment until the test settles.
   *
   * @param name the name in stories, default `signal`
   * @returns the signal
   */
  signal(name = 'signal', options?: { readonly reason?: unknown }): AbortSignal {
    checkName('world.signal', name);
    const given = checkKnown('world.signal', '', options, ['reason']) as { reason?: unknown };
    return makeSignal(this.#run, name, given.reason, false).signal;
  }

  /** @internal Makes the signal that `cancelEverywhere` passes to the test. */
  makeCancelSignal(): WorldSignal {
    const made = makeSignal(this.#run, 'cancel', undefined, true);
    this.#run.cancelSignal = made;
    return made;
  }

  /** Runs `act` at most once, at any moment until the test settles: `pool.close()`, `socket.destroy()`. */
  anytime(name: string, act: () => unknown): void {
    checkName('world.anytime', name);
    checkFunction('world.anytime: act', act);
    this.#run.interruptions.push(new Interruption(this.#run, 'act', this.#run.numbered(name), act));
  }

  /**
   * Returns one of the values, synchronously. The explorer tries each.
   *
   * @throws TypeError when there is no value
   */
  choose<const Value>(name: string, values: readonly Value[]): Value {
    checkName('world.choose', name);
    if (!Array.isArray(values) || values.length === 0)
      throw wrongKind('world.choose: values', 'a non-empty array', values);
    const run = this.#run;
    if (run.isOver) return values[0] as Value;
    const decision = run.decide(values.length, name);
    const { choice: chosen, late, overlap, point } = decision;
    if (chosen >= values.length || late || overlap !== undefined) {
      run.misfit ??= `point ${point} chooses one of ${values.length} values of ${name}`;
      return values[0] as Value;
    }
    const text = `${name}: ${show(values[chosen])}`;
    if (chosen !== 0) run.chosenNames.push(text);
    run.story?.note(text);
    return values[chosen] as Value;
  }

  /**
   * Makes a `fetch` whose requests are operations: `GET /path`.
   *
   * @param handler returns the `Response` for a `Request`
   */
  fetch(
    handler: (request: Request) => Response | Promise<Response>,
    options?: OperationOptions<[Request]>,
  ): typeof globalThis.fetch {
    checkFunction('world.fetch: handler', handler);
    const kind = operationKind('world.fetch', 'fetch', handler, options);
    return fakeFetch(kind, options?.label !== undefined, (named, args) => startOperation(this.#run, named, args));
  }

  /** Makes a proxy of an object whose methods are operations: `name.method(...)`. */
  wrap<Api extends object>(name: string, api: Api, options?: OperationOptions<never[]>): Wrapped<Api> {
    checkName('world.wrap', name);
    if ((typeof api !== 'object' && typeof api !== 'function') || api === null)
      throw wrongKind('world.wrap: api', 'an object', api);
    return wrapMethods(api, (method, fn) => {
      const kind = operationKind('world.wrap', `${name}.${method}`, fn, options);
      return (...args) => startOperation(this.#run, kind, args);
    });
  }

  /** Virtual milliseconds since the start of the run. */
  get now(): number {
    return this.#run.readTime();
  }

  /** Resolves when no operation, stream, immediate or ref'd timer is pending. */
  rest(): Promise<void> {
    return this.#run.rest.wait();
  }

  /**
   * Makes a resource that must be closed once, never be used afterwards, and be closed before the one that it is inside.
   *
   * A resource that the function of a fake makes counts from a successful answer on.
   */
  resource(name: string, options?: { readonly inside?: WorldResource | undefined }): WorldResource {
    checkName('world.resource', name);
    const { inside } = checkKnown('world.resource', '', options, ['inside']) as { inside?: WorldResource };
    const outer = resourceOf(inside);
    if (inside !== undefined && outer === undefined)
      throw wrongKind('world.resource: inside', 'a resource of a world', inside);
    return resourceHandle(new Resource(this.#run, this.#run.numbered(name), outer));
  }

  /** Checks that a count is 0 when the test has settled: permits, leases, tasks. */
  held(name: string, count: () => number): void {
    checkName('world.held', name);
    checkFunction('world.held: count', count);
    this.#run.held.push({ name, count });
  }

  /** Checks that a promise has settled when the test has. A rejection counts as handled. */
  track<T>(name: string, promise: PromiseLike<T>): void {
    checkName('world.track', name);
    if (typeof (promise as { then?: unknown } | null | undefined)?.then !== 'function') {
      throw wrongKind('world.track: promise', 'a promise', promise);
    }
    const tracked = { name, isPending: true };
    this.#run.tracked.push(tracked);
    const settled = (): void => {
      tracked.isPending = false;
    };
    promise.then(settled, settled);
  }

  /** Checks at each choice point. A check that throws or returns `false` fails the run. */
  always(name: string, check: () => unknown): void {
    checkName('world.always', name);
    checkFunction('world.always: check', check);
    this.#run.checks.push({ name, check });
  }

  /** Checks after the test, whether it has rejected or not. A check that throws or returns `false` fails the run. */
  atEnd(check: () => unknown): void {
    checkFunction('world.atEnd: check', check);
    this.#run.endChecks.push(check);
  }

  /** Adds a line to the story. */
  log(text: string): void {
    this.#run.story?.log(String(text));
  }
}

function checkName(call: string, name: unknown): void {
  if (typeof name !== 'string') throw wrongKind(`${call}: name`, 'a string', name);
}

function startOperation(run: Run, kind: OperationKind, args: unknown[]): Promise<unknown> {
  return new Operation(run, kind, args).promise;
}

const operationOptions = ['effect', 'failures', 'abortable', 'within', 'label', 'detached'];

function operationKind(
  call: string,
  name: string,
  answer: unknown,
  options: OperationOptions<never[]> | undefined,
): OperationKind {
  const given = checkKnown(call, '', options, operationOptions) as OperationOptions;
  const { failures = [], label, within } = given;
  const isList = Array.isArray(answer);
  if (!isList) checkFunction(`${call}: the answer`, answer);
  else if (answer.length === 0) throw new TypeError(`${call}: ${name} must have at least one outcome`);
  if (!Array.isArray(failures)) throw wrongKind(`${call}: failures`, 'an array', failures);
  if (within !== undefined) {
    checkNumber(typeof within === 'number' && within > 0, `${call}: within`, 'milliseconds above 0', within);
  }
  if (label !== undefined) checkFunction(`${call}: label`, label);
  const failed = failures.map((error) => (error instanceof FailureOutcome ? error : new FailureOutcome(error)));
  return {
    label: label === undefined ? (args) => `${name}(${showArguments(args)})` : (args) => String(label(...args)),
    fn: isList ? undefined : (args) => (answer as (...args: unknown[]) => unknown)(...args),
    outcomes: isList ? [...answer, ...failed] : failed,
    effect: choice(call, 'effect', given.effect, ['between', 'answer', 'call']),
    abortable: flag(call, 'abortable', given.abortable),
    within,
    detached: flag(call, 'detached', given.detached, false),
  };
}

function makeSignal(run: Run, given: string, reason: unknown, isFree: boolean): WorldSignal {
  const name = run.numbered(given);
  const controller = new AbortController();
  const { signal } = controller;
  const why = reason === undefined ? new DOMException(`${name} was aborted`, 'AbortError') : reason;
  const interruption = new Interruption(run, 'signal', name, () => controller.abort(why), isFree);
  run.interruptions.push(interruption);
  const made = new WorldSignal(name, signal, interruption);
  run.signals.push(made);
  if (run.story !== undefined) {
    const { addEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      made.places.push(placeHere());
      addEventListener.apply(signal, args);
    };
  }
  return made;
}

/** The clock of the world, for APIs that take one. */
function worldClock(run: Run): Clock {
  return {
    now: () => run.readTime(),
    wall: () => run.settings.now + run.readTime(),
    setTimer(ms: number, fn: () => void, options?: TimerOptions): Timer {
      checkNumber(typeof ms === 'number' && ms >= 0, 'setTimer: the time', 'milliseconds from 0 to Infinity', ms);
      const timer = new VirtualTimer(run, Math.ceil(ms), fn, false);
      timer.isRef = options?.ref !== false;
      if (ms !== Number.POSITIVE_INFINITY) {
        run.timers.set(timer);
        run.story?.timerSet(timer);
      }
      return timer as unknown as Timer;
    },
    clearTimer(timer: Timer): void {
      const set = timer as unknown as VirtualTimer;
      set.stop();
      run.story?.timerCleared(set);
    },
  };
}
