/**
 * The machine of a scope.
 *
 *     BODY ──────► JOINING ──────► CLEANING ──────► CLOSED
 *       │ the body    │ the last       │ the last       the scope settles
 *       │ settles     │ child ends     │ cleanup ends
 *       └─────────────┴─► CLEANING also when the cleanup timeout has passed
 *
 * Invariants
 *  1. A child is in the list from `spawn` until it has ended or was given up on; `spawn` refuses from CLEANING on. The
 *     scope is therefore never CLOSED while a child runs that it does not name.
 *  2. The first failure, of the body, a child or a cleanup, cancels the scope's token; `failures` grows in order of
 *     failure and holds no error twice: a body that awaits a failing child throws the child's error again.
 *  3. Each cleanup runs once, the last one deferred first, one after the other, whatever the others did.
 *  4. The token is disposed when CLOSED: what is cancelled above later does not reach work that has ended.
 *  5. `pending` counts the children that are no daemons. While JOINING with none of them, every daemon is cancelled.
 *  6. Nothing leaves the list of children inside of `spawn` or of a cancellation: a task ends in a reaction of its own.
 *     (But a task that could not be started, where the stack had ended: `spawn` takes it out again, and throws.)
 *  7. A cleanup timeout that runs was started by a cancellation of the token, or by winding up; in the second case it ends
 *     when a child joins that is no daemon.
 *  8. CLOSED comes when there is no cleanup left, also of those that are deferred by whom the last failure has cancelled.
 *
 * Not guaranteed: that work which ignores its token ends. Without a cleanup timeout it is waited for, with one it is named.
 * Nor that work is awaited which had begun when `spawn` threw, at the end of the stack.
 */

import {
  CancellationToken,
  CancelledError,
  type Clock,
  ClosedError,
  PENDING,
  reportUncaught,
  systemClock,
  type Timer,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';
import { append, callSite, checkChoice, checkFunction, checkOptions, isThenable, remove } from '@quiesce/internal';
import { CleanupTimeoutError, type Unfinished } from '@quiesce/select';
import { KeyConflictError } from './errors.ts';
import { Failures, givenUp, reportLate, taskLabel } from './failures.ts';
import { enlist, type Nested } from './nested.ts';
import { dropStopSignal, hasObeyed, setStopSignal } from './obedience.ts';
import { type Cleanup, quoted, type ScopeOptions, type SpawnOptions } from './options.ts';
import { stampOf } from './stamp.ts';
import { isSeen, Task, type TaskInfo, type TaskParent } from './task.ts';
import { tokenBelow } from './token-below.ts';

const spawnOptions: readonly (keyof SpawnOptions)[] = ['name', 'key', 'onConflict', 'onFailure'];

export const BODY = 0;
export const JOINING = 1;
export const CLEANING = 2;
export const CLOSED = 3;

/** A cleanup that waits for its turn. */
interface Deferred {
  readonly run: Cleanup;
  readonly name: string;
}

export class Life implements TaskParent {
  /** The children that are running. */
  head: Task<unknown> | undefined = undefined;
  /** Links in `nested`. */
  next: Life | undefined = undefined;
  prev: Life | undefined = undefined;
  /** Where it can be found from the token that it was given; `undefined`: none was given. */
  readonly nested: Nested | undefined;
  readonly name: string | undefined;
  readonly token: CancellationToken;
  readonly clock: Clock;
  /** `undefined`: it waits as long as it takes. */
  readonly cleanupTimeout: number | undefined;
  readonly hasSites: boolean;
  /** Where all of its tasks were spawned, if that is one place. */
  readonly #site: string | undefined;
  readonly started: number;
  state: typeof BODY | typeof JOINING | typeof CLEANING | typeof CLOSED = BODY;
  /** Whether `begin` was called; otherwise the body is a block, which nobody can wait for. */
  hasBody = false;
  /** How many tasks and cleanups are being called: such a call must not wait for the scope, which waits for it. */
  calling = 0;
  /** The cleanup that is running. */
  cleaning: { readonly name: string; readonly started: number } | undefined = undefined;
  /** Fulfils when CLOSED. */
  readonly over: Promise<void>;
  /** How many children are running that are no daemons (invariant 5). */
  #pending = 0;
  /** All daemons are cancelled; unset when a child joins that is none. */
  #isWindingUp = false;
  /** Whether the scope was cancelled, or its body stopped, before the body fulfilled; set when it settles, with `#value`. */
  #isCancelled = false;
  /** The reason then, otherwise the body's value. */
  #value: unknown = undefined;
  /** Made with the first failure. */
  #failures: Failures | undefined = undefined;
  /** The running tasks that have a key; made with the first one. */
  #keys: Map<unknown, Task<unknown>> | undefined = undefined;
  readonly #cleanups: Deferred[] = [];
  /** What was given up on. */
  readonly #unfinished: Unfinished[] = [];
  /** Ends JOINING; set by the constructor. */
  #joined: () => void = () => {};
  /** Set when somebody is first asked to stop, where there is a cleanup timeout; unset by `#joinLate`. */
  #timer: Timer | undefined = undefined;
  /** The cleanup timeout has passed. */
  #isOverdue = false;
  /**
   * Starts the cleanup timeout; made by the constructor where there is one, or a deadline. A waiter and no callback: who
   * awaits a scope with a deadline must live to see it.
   */
  #gate: Waiter | undefined = undefined;

  constructor(options: ScopeOptions = {}, site?: string) {
    const { signal, clock, cleanupTimeout = Number.POSITIVE_INFINITY } = options;
    const outer = signal === undefined ? undefined : CancellationToken.from(signal);
    this.name = options.name;
    this.token = tokenBelow(outer, options);
    if (options.stopSignal !== undefined) setStopSignal(this.token, CancellationToken.from(options.stopSignal));
    this.clock = clock ?? systemClock;
    this.cleanupTimeout = Number.isFinite(cleanupTimeout) ? cleanupTimeout : undefined;
    this.hasSites = options.spawnSites === true || site !== undefined;
    this.#site = site;
    this.started = this.now();
    this.nested = outer === undefined ? undefined : enlist(outer, this);
    // Called here, so that the cleanups see the asynchronous context in which the scope was made.
    this.over = this.#live();
    if (this.cleanupTimeout !== undefined || this.token.deadline !== undefined) this.#watch();
  }

  /** How many tasks are running, daemons included. */
  get taskCount(): number {
    let count = 0;
    for (let task = this.head; task !== undefined; task = task.next === this.head ? undefined : task.next) count++;
    return count;
  }

  /** In whole ms, which cost no object. */
  now(): number {
    return Math.floor(this.clock.now());
  }

  /** Calls the body; one that comes too late only if it is a cleanup, which starts always. */
  begin(body: () => unknown, isCleanup: boolean): void {
    this.hasBody = true;
    const fulfilled = (value: unknown): void => this.left(value, false);
    const rejected = (error: unknown): void => this.left(error, true);
    let end = fulfilled;
    let result: unknown;
    try {
      result = this.token.isCancelled && !isCleanup ? undefined : body();
      if (isThenable(result)) {
        Promise.resolve(result).then(fulfilled, rejected);
        return;
      }
    } catch (error) {
      result = error;
      end = rejected;
    }
    // A body that returns no promise has fulfilled here and now, before anything can cancel it.
    end(result);
  }

  /** The body has settled, or the block ends. */
  left(value: unknown, isError: boolean): void {
    const { token } = this;
    const isFailure = isError && !hasObeyed(value, token);
    if (this.state !== BODY) {
      if (isFailure) reportLate(`The body of ${this.label()}`, givenUp, value);
      return;
    }
    this.state = JOINING;
    this.#settleBody(value);
    if (isFailure) this.#failed(value);
    // By the stop signal: the tasks go on, and the scope rejects with that reason in the end.
    else if (isError) this.#isCancelled = true;
    this.#check();
  }

  /** Kept when the body settles, since a later cancel must not count. */
  #settleBody(value: unknown): void {
    this.#isCancelled = this.token.isCancelled;
    this.#value = this.#isCancelled ? this.token.reason : value;
  }

  /** `above`: what the user called, so that the spawn site is where that was. */
  spawn<T>(work: (token: CancellationToken) => T, options: SpawnOptions | undefined, above: unknown): Task<Awaited<T>> {
    checkFunction('spawn', work);
    const info = options === undefined && !this.hasSites ? undefined : this.#infoOf(options, above);
    const started = stampOf(this.clock);
    // Behind all that is the caller's code, the getters of the options and the clock: those may end a block.
    if (this.state >= CLEANING) throw this.closed(callOf(above));
    const task = new Task<Awaited<T>>(this, this.token.childToken(), info, started);
    append<Task<unknown>>(this, task);
    if (info?.isDaemon !== true) this.#pending++;
    this.calling++;
    try {
      if (this.#isWindingUp) this.#joinLate(task);
      if (info?.key !== undefined) this.#claim(info.key, task);
      task.start(work);
      this.calling--;
    } catch (error) {
      this.calling--;
      // Only at the end of the stack: what was not started must not be waited for. No call, for which there may be no
      // room either, and no check: whoever is running, be it the body or another task, makes one at its end.
      const { next, prev } = task;
      if (next === undefined || prev === undefined) throw error;
      if (this.head === task) this.head = next === task ? undefined : next;
      prev.next = next;
      next.prev = prev;
      if (info?.isDaemon !== true) this.#pending--;
      if (info?.key !== undefined && this.taskOf(info.key) === task) this.#keys?.delete(info.key);
      throw error;
    }
    return task;
  }

  #infoOf(options: SpawnOptions | undefined, above: unknown): TaskInfo {
    const call = callOf(above);
    checkOptions(call, options, spawnOptions, ['daemon']);
    const { name, key, daemon, onConflict, onFailure } = options ?? {};
    checkChoice(`${call}: onConflict`, onConflict, ['replace', 'refuse']);
    checkChoice(`${call}: onFailure`, onFailure, ['cancel', 'isolate']);
    if (onConflict === 'refuse' && this.taskOf(key) !== undefined) throw new KeyConflictError(key);
    return {
      name,
      key,
      site: this.callSite(above),
      isDaemon: daemon === true,
      isIsolated: onFailure === 'isolate',
    };
  }

  /** Where `above` was called, if that is to be recorded. */
  callSite(above: unknown): string | undefined {
    return this.#site ?? (this.hasSites ? callSite(above) : undefined);
  }

  taskOf(key: unknown): Task<unknown> | undefined {
    return this.#keys?.get(key);
  }

  /** The new one first: what the cancellation of the earlier one sets off finds it in place. */
  #claim(key: unknown, task: Task<unknown>): void {
    const earlier = this.taskOf(key);
    this.#keys ??= new Map();
    this.#keys.set(key, task);
    earlier?.cancel(new CancelledError(`${taskLabel(earlier.name)} was replaced by another one with its key`));
  }

  ended(task: Task<unknown>): boolean {
    remove<Task<unknown>>(this, task);
    const isKept = task.current === 'failed' && this.#taskFailed(task);
    const info = task.info;
    if (info !== undefined && this.taskOf(info.key) === task) this.#keys?.delete(info.key);
    if (info?.isDaemon !== true) this.#pending--;
    if (this.#pending === 0) this.#check();
    return isKept;
  }

  #taskFailed(task: Task<unknown>): boolean {
    this.#failures ??= new Failures();
    if (!this.hasBody) this.#reportUnlessSeen(task);
    if (task.info?.isIsolated === true) return this.#failures.isolate(task);
    this.#failed(task.value, task.name);
    return false;
  }

  /**
   * Nothing may ever end a block that an object keeps, so its failure is reported, one macrotask later, unless something
   * waits for the scope by then. Not as a fatal error: the block may still be about to end, and then throws it.
   */
  #reportUnlessSeen(task: Task<unknown>): void {
    const { name, value } = task;
    const report = (): void => {
      if (this.state !== BODY || isSeen(task)) return;
      const what = `${taskLabel(name)} of ${this.label()} failed, and nothing waits for that scope`;
      reportUncaught(new Error(`${what}. Its join() and close() reject with this error`, { cause: value }), {
        isFatal: false,
      });
    };
    systemClock.setTimer(0, report, { ref: true });
  }

  asked(task: Task<unknown>): void {
    this.#failures?.asked(task);
  }

  /** Takes an error that is a failure (invariant 2). */
  #failed(error: unknown, name?: string): void {
    this.#failures ??= new Failures();
    this.#failures.add(error);
    if (this.token.isCancelled) return;
    const who = name === undefined ? 'A sibling' : taskLabel(name);
    this.token.cancel(new CancelledError(`${who} in the same scope failed`, { source: 'sibling', cause: error }));
  }

  defer(run: Cleanup, name: string): void {
    checkFunction('defer', run);
    if (this.state === CLOSED) throw this.closed('defer');
    this.#cleanups.push({ run, name });
  }

  /** Ends JOINING once there is nothing left to wait for. */
  #check(): void {
    if (this.state >= CLEANING) return;
    // A block cannot be given up on: it runs in the hands of others.
    if (this.#isOverdue && (this.hasBody || this.state === JOINING)) this.#giveUp();
    else if (this.state === BODY || this.#pending > 0) return;
    else if (this.head !== undefined) {
      this.#windUp();
      return;
    }
    // A block lasts until its tasks have ended.
    if (!this.hasBody) this.#settleBody(undefined);
    this.state = CLEANING;
    this.#joined();
  }

  /** Only daemons are left (invariant 5). */
  #windUp(): void {
    if (this.#isWindingUp) return;
    this.#isWindingUp = true;
    this.#startTimer();
    const reason = this.#windUpReason();
    let task = this.head;
    do {
      // Those that join meanwhile stand behind; none leaves (invariant 6).
      if (task?.info?.isDaemon === true) task.cancel(reason);
      task = task?.next;
    } while (task !== this.head);
  }

  /** A task joins while the daemons are wound up: another daemon is, too; nobody asks anything else to stop. */
  #joinLate(task: Task<unknown>): void {
    if (task.info?.isDaemon === true) {
      task.cancel(this.#windUpReason());
      return;
    }
    this.#isWindingUp = false;
    // Invariant 7.
    if (this.#timer === undefined || this.token.isCancelled) return;
    this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #windUpReason(): CancelledError {
    return new CancelledError(`All that ${this.label()} waits for has ended`, { source: 'scope' });
  }

  #watch(): void {
    const wake = (): void => this.#startTimer();
    this.#gate = waiter(wake);
    if (this.token.poll() === PENDING) this.token.park(this.#gate);
    // Parking may run anything, a cancellation too.
    if (this.token.poll() !== PENDING) wake();
  }

  #startTimer(): void {
    if (this.cleanupTimeout === undefined || this.#timer !== undefined || this.state >= CLEANING) return;
    const passed = (): void => {
      this.#isOverdue = true;
      this.#check();
    };
    this.#timer = this.clock.setTimer(this.cleanupTimeout, passed, { ref: true });
  }

  /** Law 1 bends here, out loud: what is running is named, and its parent is told from now on. */
  #giveUp(): void {
    if (this.state === BODY) this.#abandon('the body', this.started);
    for (let task = this.head; task !== undefined; task = this.head) {
      remove<Task<unknown>>(this, task);
      task.parent = abandoned;
      this.#abandon(task.name ?? 'a task', task.started, task.info?.site);
    }
    this.#keys = undefined;
  }

  #abandon(name: string, started: number, site?: string): void {
    const ageMs = this.now() - started;
    this.#unfinished.push(site === undefined ? { name, ageMs } : { name, ageMs, site });
  }

  /** What comes behind the body and the children. */
  async #live(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#joined = resolve;
    });
    if (this.#timer !== undefined) this.clock.clearTimer(this.#timer);
    // Invariant 8.
    for (let told = 0; ; told = this.#unfinished.length) {
      for (let next = this.#cleanups.pop(); next !== undefined; next = this.#cleanups.pop()) await this.#clean(next);
      if (this.#unfinished.length === told) break;
      const late = this.#unfinished.slice(told);
      this.#failed(new CleanupTimeoutError(this.cleanupTimeout as number, late, { owner: this.label() }));
    }
    this.state = CLOSED;
    if (this.nested !== undefined) remove<Life>(this.nested, this);
    if (this.#gate !== undefined) this.token.unpark(this.#gate);
    dropStopSignal(this.token);
    this.token.dispose();
  }

  async #clean({ run, name }: Deferred): Promise<void> {
    try {
      this.cleaning = { name, started: this.now() };
      this.calling++;
      let result: unknown;
      try {
        result = run();
      } finally {
        this.calling--;
      }
      if (isThenable(result)) await (this.cleanupTimeout === undefined ? result : this.#within(result, name));
    } catch (error) {
      this.#failed(error);
    }
    this.cleaning = undefined;
  }

  /** A cleanup, or its timeout, whichever comes first. */
  #within(result: PromiseLike<unknown>, name: string): Promise<void> {
    const started = this.now();
    return new Promise((resolve, reject) => {
      let isLate = false;
      const passed = (): void => {
        isLate = true;
        this.#abandon(name, started);
        resolve();
      };
      const timer = this.clock.setTimer(this.cleanupTimeout as number, passed, { ref: true });
      const settle = (): void => {
        this.clock.clearTimer(timer);
        resolve();
      };
      // Not Promise.resolve: where that throws, the timer would stay.
      new Promise((resolve) => resolve(result)).then(settle, (error) => {
        if (isLate) return reportLate(`Cleanup${quoted(name)}`, givenUp, error);
        this.clock.clearTimer(timer);
        reject(error);
      });
    });
  }

  /** Throws what failed, once CLOSED. */
  throwFailures(): void {
    this.#failures?.throw(this.name);
  }

  /** What a scope that is CLOSED settles with. */
  result(): unknown {
    this.throwFailures();
    if (this.#isCancelled) throw this.#value;
    return this.#value;
  }

  closed(call: string): ClosedError {
    return new ClosedError(
      `${call}: ${this.label()} has ended: its body and all its tasks are done; ${call} while one of them runs`,
    );
  }

  /** What is running, for error texts. */
  waitsFor(): string {
    if (this.cleaning !== undefined) return `cleanup ${JSON.stringify(this.cleaning.name)}`;
    const { head, taskCount } = this;
    return taskCount === 1
      ? taskLabel(head?.name).replace(/^./, (letter) => letter.toLowerCase())
      : `${taskCount} tasks`;
  }

  label(): string {
    return `scope${quoted(this.name)}`;
  }
}

/** The name of the method that the user called; `spawn` for tasks of our own. */
function callOf(above: unknown): string {
  return typeof above === 'function' ? above.name : 'spawn';
}

/** The parent of tasks that were given up on. */
const abandoned: TaskParent = {
  ended(task) {
    // An isolated failure is theirs who wait for it.
    const isHandled = task.info?.isIsolated === true && task.head !== undefined;
    if (task.current === 'failed' && !isHandled) reportLate(taskLabel(task.name), givenUp, task.value);
    return false;
  },
  asked() {},
};
