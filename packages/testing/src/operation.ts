import { errorText, show } from './errors.ts';
import type { Resource } from './resource.ts';
import type { Run } from './run.ts';
import { type Alternative, FRESH, type Slowness, type SlowSource } from './source.ts';
import { isThenable } from './thenable.ts';

const failures = new WeakSet<FailureOutcome>();

/** An outcome that rejects. Made by `failure`. */
export class FailureOutcome {
  /** The error with which the operation rejects. */
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
    failures.add(this);
  }
}

/**
 * Makes an outcome that rejects, for the outcomes of `world.external`.
 *
 * @param error the reason of the rejection
 * @returns the outcome
 * @example
 * ```ts
 * const offline = failure(new Error('offline'));
 * const report = await explore(async (world) => {
 *   const load = world.external('load', ['page', offline]);
 *   await load().catch((error) => world.log(error.message));
 * });
 * console.log(report.scheduleCount); // => 2
 * ```
 */
export function failure(error: unknown): FailureOutcome {
  return new FailureOutcome(error);
}

/** When the function of a fake runs. */
export type EffectTime = 'between' | 'answer' | 'call';

/** The properties that all operations of one fake function share. */
export interface OperationKind {
  readonly label: (args: readonly unknown[]) => string;
  /** Runs the effect; `undefined` for a list of outcomes. */
  readonly fn: ((args: unknown[]) => unknown) | undefined;
  /** Outcomes of a list, or further outcomes of a function. */
  readonly outcomes: readonly unknown[];
  readonly effect: EffectTime;
  readonly abortable: boolean;
  readonly within: number | undefined;
  readonly detached: boolean;
}

/** The variants: the handling, then the outcomes. */
const HANDLED = -1;

/**
 * One call of a fake: pending until it answers.
 *
 * States: called, handled, ended. A function with `effect: 'between'` is handled by an event of its own; others are handled when
 * they are called or answer.
 */
export class Operation implements SlowSource {
  readonly kind = 'operation';
  readonly id: number;
  readonly label: string;
  readonly deadline: number;
  readonly promise: Promise<unknown>;
  readonly isDetached: boolean;
  /** Where it was called, in audited runs. */
  readonly place: string;
  slowness: Slowness = FRESH;
  slowSince = 0;
  slowFirings = 0;
  /** Resources that its function made. They count once it has answered. */
  readonly resources: Resource[] = [];
  readonly #run: Run;
  readonly #operation: OperationKind;
  readonly #args: unknown[];
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #state: 'called' | 'handled' | 'ended';
  #result: unknown;
  #signal: AbortSignal | undefined;
  #alternative: Alternative;
  #others: Alternative[] | undefined;

  constructor(run: Run, kind: OperationKind, args: unknown[]) {
    this.#run = run;
    this.#operation = kind;
    this.#args = args;
    this.label = run.numbered(kind.label(args));
    this.id = run.intern(this.label);
    this.isDetached = kind.detached;
    this.deadline = kind.within === undefined ? Number.POSITIVE_INFINITY : run.now + kind.within;
    this.place = run.story?.place() ?? '';
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#state = kind.fn !== undefined && kind.effect === 'between' ? 'called' : 'handled';
    this.#alternative = { source: this, variant: this.#state === 'called' ? HANDLED : 0 };
    this.#start();
  }

  #start(): void {
    const { abortable, effect, fn } = this.#operation;
    const signal = abortable ? findSignal(this.#args) : undefined;
    if (signal?.aborted === true) {
      this.#state = 'ended';
      this.#reject(signal.reason);
      return;
    }
    if (fn !== undefined && effect === 'call') this.#handle();
    this.#run.addOperation(this);
    this.#run.story?.started(this.label);
    if (signal === undefined) return;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    this.#run.ownListener(signal, 1);
  }

  readonly #onAbort = (): void => {
    if (this.#state === 'ended' || this.#run.isOver) return;
    const reason: unknown = this.#signal?.reason;
    this.#end(false);
    this.#run.story?.note(`${this.label} is aborted`);
    this.#reject(reason);
  };

  name(variant: number): string {
    if (variant === HANDLED) return `${this.label} is handled`;
    const { fn, outcomes } = this.#operation;
    if (fn !== undefined && variant === 0)
      return `${this.label} ${this.#result instanceof FailureOutcome ? 'fails' : 'answers'}`;
    const outcome = outcomes[fn === undefined ? variant : variant - 1];
    if (failures.has(outcome as FailureOutcome))
      return `${this.label} fails with ${failureText((outcome as FailureOutcome).error)}`;
    return `${this.label} answers${outcomes.length > 1 ? ` ${show(outcome)}` : ''}`;
  }

  isPossible(variant: number): boolean {
    return variant === HANDLED ? this.#state === 'called' : this.#state === 'handled';
  }

  perform(variant: number): void {
    if (variant === HANDLED) {
      this.#state = 'handled';
      this.#alternative = { source: this, variant: 0 };
      this.#handle();
      return;
    }
    const { fn, outcomes, effect } = this.#operation;
    if (fn !== undefined && variant === 0 && effect === 'answer') this.#handle();
    const outcome = fn === undefined ? outcomes[variant] : variant === 0 ? this.#result : outcomes[variant - 1];
    const isFailure = failures.has(outcome as FailureOutcome);
    this.#end(!isFailure);
    if (isFailure) this.#reject((outcome as FailureOutcome).error);
    else this.#resolve(outcome);
  }

  /** Runs the function. Its result or its error is the answer. */
  #handle(): void {
    const { fn } = this.#operation;
    const outer = this.#run.handling;
    this.#run.handling = this;
    try {
      this.#result = fn?.(this.#args);
    } catch (error) {
      this.#result = new FailureOutcome(error);
    } finally {
      this.#run.handling = outer;
    }
    const result = this.#result;
    if (!isThenable(result)) return;
    const pending = this.#run.effectPending(`${this.label}: its function`);
    result.then(
      (value) => {
        pending();
        if (this.#result === result) this.#result = value;
      },
      (error: unknown) => {
        pending();
        if (this.#result === result) this.#result = new FailureOutcome(error);
      },
    );
  }

  /** Leaves the world. The resources of an operation that failed or was aborted do not count. */
  #end(isSuccess: boolean): void {
    this.#state = 'ended';
    this.#run.removeOperation(this);
    if (this.#signal !== undefined) {
      this.#signal.removeEventListener('abort', this.#onAbort);
      this.#run.ownListener(this.#signal, -1);
    }
    for (const resource of this.resources) resource.onAnswered(isSuccess);
  }

  main(): Alternative {
    return this.#alternative;
  }

  addOutcomes(list: Alternative[]): void {
    if (this.#state !== 'handled') return;
    const { fn, outcomes } = this.#operation;
    const count = outcomes.length + (fn === undefined ? 0 : 1);
    if (count === 1) return;
    this.#others ??= Array.from({ length: count - 1 }, (_, i) => ({ source: this, variant: i + 1 }));
    list.push(...this.#others);
  }

  addBatch(): void {}
}

function failureText(error: unknown): string {
  return typeof error === 'object' && error !== null ? errorText(error) : show(error);
}

function isSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function'
  );
}

/** Returns the signal among the arguments, or the one in the last of them. */
function findSignal(args: readonly unknown[]): AbortSignal | undefined {
  const direct = args.find(isSignal);
  if (direct !== undefined) return direct;
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null) return undefined;
  const { signal } = last as { signal?: unknown };
  return isSignal(signal) ? signal : undefined;
}

/** Returns the arguments as they stand in the name of an operation, without signals. */
export function showArguments(args: readonly unknown[]): string {
  return args
    .filter((arg) => !isSignal(arg) && !isOnlySignal(arg))
    .map((arg) => show(arg))
    .join(', ');
}

function isOnlySignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('signal' in value)) return false;
  const keys = Object.keys(value);
  return keys.length === 0 || (keys.length === 1 && keys[0] === 'signal');
}
