import type { ExploreReport } from './report.ts';

/** The rule that a failed schedule violates. */
export type FailureKind =
  | 'test'
  | 'invariant'
  | 'end'
  | 'unhandled rejection'
  | 'uncaught exception'
  | 'stuck'
  | 'endless'
  | 'left behind'
  | 'resource'
  | 'outcome'
  | 'unmodelled'
  | 'nondeterminism'
  | 'replay';

/** One failure of a run. */
export interface RunFailure {
  readonly kind: FailureKind;
  /** The error of the test, or the one that describes the failure. */
  readonly cause: unknown;
  /** Follows the message in the story, such as places. It is not compared. */
  readonly place: string;
}

/**
 * A schedule in which the test fails. `kind` says how, `cause` is the original error, `schedule` is the schedule string for
 * `replay`, `story` has the events in their order.
 *
 * @example
 * ```ts
 * const error = await explore((world) => world.resource('file')).catch((reason) => reason);
 * console.log(error instanceof ScheduleError, error.code, error.kind); // => true ERR_SCHEDULE left behind
 * ```
 */
export class ScheduleError extends Error {
  /** @internal See `named`. */
  static readonly completed: object = /* @__PURE__ */ named(ScheduleError, 'ScheduleError');
  /** Stable. */
  readonly code = 'ERR_SCHEDULE';
  /** The rule that the schedule violates. */
  readonly kind: FailureKind;
  /** The schedule string: `explore(test, { replay: error.schedule })` runs this schedule again. */
  readonly schedule: string;
  /** The events in their order, one line each. */
  readonly story: readonly string[];
  /** How far the exploration came. */
  readonly report: ExploreReport;

  constructor(failure: RunFailure, schedule: string, story: readonly string[], report: ExploreReport, message: string) {
    super(message, { cause: failure.cause });
    this.kind = failure.kind;
    this.schedule = schedule;
    this.story = story;
    this.report = report;
  }
}

/**
 * The budget ended before the bound that `demand` asks for was finished. `report` says how far the exploration came.
 *
 * @example
 * ```ts
 * import { BudgetError, explore, type World } from '@quiesce/testing';
 *
 * const test = async (world: World) => {
 *   const load = world.external('load', ['page']);
 *   await Promise.all([load(), load()]);
 * };
 * const error = await explore(test, { budget: { schedules: 1 }, demand: Infinity }).catch((reason) => reason);
 * console.log(error instanceof BudgetError, error.report.scheduleCount); // => true 1
 * ```
 */
export class BudgetError extends Error {
  /** @internal See `named`. */
  static readonly completed: object = /* @__PURE__ */ named(BudgetError, 'BudgetError');
  /** Stable. */
  readonly code = 'ERR_BUDGET';
  /** How far the exploration came. */
  readonly report: ExploreReport;

  constructor(message: string, report: ExploreReport) {
    super(message);
    this.report = report;
  }
}

/** Returns the text of a thrown value in one line of a message. */
export function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return `${show(error)} was thrown`;
  const message = propertyOf(error, 'message');
  const name = propertyOf(error, 'name');
  if (typeof message === 'string' && message !== '') return message;
  return typeof name === 'string' && name !== '' ? name : show(error);
}

/** Reads a property of a thrown value, which may be anything. `undefined` when the read throws. */
export function propertyOf(value: unknown, name: 'message' | 'name' | 'stack' | 'cause'): unknown {
  try {
    return (value as Partial<Record<string, unknown>> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/** Returns a short text for any value, without calling anything of a class. */
export function show(value: unknown, depth = 1): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return value.name === '' ? 'a function' : `${value.name}()`;
    case 'object':
      return value === null ? 'null' : showObject(value, depth);
    default:
      return String(value);
  }
}

function showObject(value: object, depth: number): string {
  try {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
    if (Array.isArray(value)) {
      if (depth === 0) return `[${value.length}]`;
      const items = value.slice(0, 5).map((item) => show(item, depth - 1));
      return `[${items.join(', ')}${value.length > 5 ? ', ...' : ''}]`;
    }
    if (prototype === null || Object.getPrototypeOf(prototype) === null) {
      const keys = Object.keys(value);
      if (depth === 0 || keys.length === 0) return keys.length === 0 ? '{}' : '{...}';
      const items = keys
        .slice(0, 5)
        .map((key) => `${key}: ${show((value as Record<string, unknown>)[key], depth - 1)}`);
      return `{ ${items.join(', ')}${keys.length > 5 ? ', ...' : ''} }`;
    }
    return prototype.constructor?.name || 'an object';
  } catch {
    return 'an object';
  }
}

/** Sets the name on the prototype, as with the errors of the language. A bundler removes the call with an unused class. */
function named(type: { readonly prototype: Error }, name: string): object {
  return Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true });
}
