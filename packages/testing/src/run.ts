import { errorText, type FailureKind, propertyOf, type RunFailure, ScheduleError } from './errors.ts';
import type { AsyncContext } from './host.ts';
import type { Interruption, WorldSignal } from './interruption.ts';
import type { Operation } from './operation.ts';
import type { Settings } from './options.ts';
import type { Resource } from './resource.ts';
import { Rest } from './rest.ts';
import { checkOf, type Decision } from './schedule.ts';
import { type Alternative, FRESH, type SlowSource, type SourceKind } from './source.ts';
import type { Story } from './story.ts';
import { TimerQueue } from './timers.ts';
import { NOT_LATE, Trace } from './trace.ts';

/** Chooses at each point. `undefined`: the default. */
export interface Chooser {
  /** The event that overlaps the first step. */
  start?(): Decision | undefined;
  choose(point: number, list: readonly Alternative[] | number, run: Run): Decision | undefined;
}

/** Names of sources, as numbers that hold for all runs of an exploration. */
export class Names {
  readonly #ids = new Map<string, number>();

  intern(name: string): number {
    const found = this.#ids.get(name);
    if (found !== undefined) return found;
    this.#ids.set(name, this.#ids.size + 1);
    return this.#ids.size;
  }
}

/** How a test ended. */
export type TestEnd = { readonly status: 'fulfilled' } | { readonly status: 'rejected'; readonly reason: unknown };

/**
 * One call of the test: its pending events, the choices so far, and the failure. Only the first failure counts.
 *
 * Nothing survives a run. After `isOver`, its operations never answer and its timers never fire.
 */
export class Run {
  readonly settings: Settings;
  readonly chooser: Chooser;
  /** Records events and places; `undefined` in runs without a story. */
  readonly story: Story | undefined;
  readonly trace: Trace = new Trace();
  readonly decisions: Decision[] = [];
  /** The names that the decisions choose. */
  readonly chosenNames: string[] = [];

  /** Pending operations and streams, in order of start. */
  readonly operations: SlowSource[] = [];
  slowCount = 0;
  readonly interruptions: Interruption[] = [];
  readonly signals: WorldSignal[] = [];
  readonly timers: TimerQueue = new TimerQueue(this);
  readonly rest: Rest = new Rest(this);
  readonly resources: Resource[] = [];
  readonly held: { name: string; count: () => number }[] = [];
  readonly tracked: { name: string; isPending: boolean }[] = [];
  readonly checks: { name: string; check: () => unknown }[] = [];
  readonly endChecks: (() => unknown)[] = [];

  /** Virtual milliseconds since the start. */
  now = 0;
  steps = 0;
  firings = 0;
  /** The event that began the present step, or `undefined` in the first one. */
  stepOf: SourceKind | undefined;
  /** The operation whose function is running. */
  handling: Operation | undefined;
  settled: TestEnd | undefined;
  /** The promise that the test returned, if it returned one. */
  testPromise: Promise<unknown> | undefined;
  failure: RunFailure | undefined;
  /** Why the choices do not fit this run; it is then cut off. */
  misfit: string | undefined;
  /** Where the test called the real `fetch` last, in audited runs. */
  fetchPlace = '';
  /** The type of a real handle that may be the test's. */
  suspect: string | undefined;
  isOver = false;
  /** The signal that `cancelEverywhere` passes to the test. */
  cancelSignal: WorldSignal | undefined;
  /** Functions of fakes that must end within this step. */
  readonly #effects = new Set<string>();
  readonly #labels = new Map<string, number>();
  readonly #listeners = new Map<AbortSignal, number>();
  readonly #names: Names;
  readonly #asyncContexts = new Set<number>();
  #seed: number;
  #hash = 0;

  constructor(settings: Settings, chooser: Chooser, names: Names, story: Story | undefined) {
    this.settings = settings;
    this.chooser = chooser;
    this.#names = names;
    this.story = story;
    this.#seed = settings.seed;
  }

  intern(name: string): number {
    return this.#names.intern(name);
  }

  /** Returns a label, with a number when the run has it already. */
  numbered(label: string): string {
    const count = (this.#labels.get(label) ?? 0) + 1;
    this.#labels.set(label, count);
    return count === 1 ? label : `${label} #${count}`;
  }

  fail(kind: FailureKind, cause: unknown, place = ''): void {
    if (!this.isOver) this.failure ??= { kind, cause, place };
  }

  addOperation(source: SlowSource): void {
    if (!this.isOver) this.operations.push(source);
  }

  removeOperation(source: SlowSource): void {
    const at = this.operations.indexOf(source);
    if (at < 0) return;
    this.operations.splice(at, 1);
    if (source.slowness !== FRESH) this.slowCount--;
  }

  /** The time that no timer may pass, because an operation answers before it. */
  deadline(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.operations) if (deadline < least) least = deadline;
    return least;
  }

  /** Counts listeners that the world itself adds to a signal. */
  ownListener(signal: AbortSignal, change: 1 | -1): void {
    this.#listeners.set(signal, this.ownListeners(signal) + change);
  }

  ownListeners(signal: AbortSignal): number {
    return this.#listeners.get(signal) ?? 0;
  }

  moveTo(time: number): void {
    if (time > this.now) this.now = time;
    this.trace.timeMoved();
  }

  /** Returns the virtual time, and notes that it was read. */
  readTime(): number {
    this.trace.observe();
    return this.now;
  }

  /** Mulberry32: the same numbers in each run. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  runInAsyncContext(context: AsyncContext | undefined, fn: () => void): void {
    if (context === undefined) {
      fn();
      return;
    }
    this.#asyncContexts.add(context.asyncId());
    context.runInAsyncScope(fn);
  }

  /** Whether an asynchronous context belongs to a callback of this run. */
  ownsAsyncContext(id: number): boolean {
    return this.#asyncContexts.has(id);
  }

  addAsyncContext(id: number): void {
    this.#asyncContexts.add(id);
  }

  /** Notes a promise that must settle within this step. Returns the function that says it has. */
  effectPending(what: string): () => void {
    this.#effects.add(what);
    return () => this.#effects.delete(what);
  }

  /** Fails the run when the function of a fake still waits at the end of its step. */
  checkEffects(): void {
    for (const what of this.#effects) {
      const error = new TypeError(`${what} must end within its step: it may await nothing that the world answers`);
      this.fail('test', error);
    }
  }

  /** Records a point, and returns the decision there: an index below `count`. */
  decide(list: readonly Alternative[] | number, label: string): Decision {
    const point = this.trace.length;
    const count = typeof list === 'number' ? list : list.length;
    let hash = this.#hash;
    let free = -1;
    if (typeof list === 'number') hash = mix(mix(hash, this.intern(label)), count);
    else {
      for (let i = 0; i < list.length; i++) {
        const { source, variant } = list[i] as Alternative;
        hash = mix(hash, source.id * 64 + variant);
        if (source.kind === 'signal' && (source as Interruption).isFree) free = i;
      }
    }
    this.#hash = hash;
    this.trace.add(count, hash, typeof list !== 'number' && this.#canBeLate(), free);
    const decision = this.chooser.choose(point, list, this) ?? { point, choice: 0, late: false, overlap: undefined };
    if (typeof list !== 'number' && list[decision.choice]?.source.kind === 'timer') this.trace.late[point] = NOT_LATE;
    this.#hash = mix(hash, decision.choice + 1 + (decision.late ? 0x10000 : 0));
    if (decision.choice !== 0 || decision.late || decision.overlap !== undefined) this.decisions.push(decision);
    return decision;
  }

  /** Notes the name that a decision chooses. */
  nameDecision({ overlap }: Decision, list: readonly Alternative[], name: string): void {
    const other = overlap === undefined ? undefined : list[overlap.choice];
    this.chosenNames.push(other === undefined ? name : `${name} + ${other.source.name(other.variant)}`);
  }

  /** Whether an event that is no timer can come at the time of the next timer. */
  #canBeLate(): boolean {
    const { due } = this.timers;
    return this.settings.late && due > this.now && due !== Number.POSITIVE_INFINITY && due <= this.deadline();
  }

  /** Checks the names of a schedule string. Returns why the string does not fit, if it does not. */
  checkNames(check: string | undefined): string | undefined {
    if (check === undefined || checkOf(this.chosenNames) === check) return undefined;
    const chosen = this.decisions.map(({ point }, i) => `at point ${point} ${this.chosenNames[i] ?? 'nothing'}`);
    return `The string was recorded with other names. It now chooses ${chosen.join(', ')}`;
  }
}

function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193) ^ (hash >>> 15);
}

/** Whether two failures are the same: kind, name and message of the error. */
export function isSameFailure(a: RunFailure | undefined, b: RunFailure | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.kind === b.kind && nameOf(a.cause) === nameOf(b.cause) && errorText(a.cause) === errorText(b.cause);
}

function nameOf(error: unknown): string {
  return error instanceof ScheduleError ? 'ScheduleError' : String(propertyOf(error, 'name'));
}
