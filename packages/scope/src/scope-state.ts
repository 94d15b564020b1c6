/**
 * The state machine of a scope.
 *
 *     BODY ──────► JOINING ──────► CLEANING ──────► CLOSED
 *       │ the body    │ the last       │ the last       the scope settles
 *       │ settles     │ child ends     │ cleanup ends
 *       └─────────────┴─► CLEANING also when the cleanup timeout has passed
 *
 * Invariants
 *  1. A child is in the list from `spawn` until it has ended or the scope has given up on it. `spawn` throws from CLEANING
 *     on. So a CLOSED scope names every child that still runs.
 *  2. The first failure, of the body, a child or a cleanup, cancels the scope's token. `failures` grows in order of failure
 *     and holds no error twice: a body that awaits a failing child throws the child's error again.
 *  3. Each cleanup runs once. The last one deferred runs first, one after the other, even if others fail.
 *  4. The token is disposed when CLOSED. A later cancellation of an ancestor does not reach ended work.
 *  5. `pending` counts the children that are no daemons. While JOINING with none of them, every daemon is cancelled.
 *  6. No child leaves the list during `spawn` or a cancellation: a task ends in its own promise reaction.
 *     (Exception: a task that could not start because the stack overflowed. `spawn` removes it and throws.)
 *  7. A running cleanup timeout was started by a cancellation of the token, or by cancelling the daemons. In the second case
 *     it stops when a child is spawned that is no daemon.
 *  8. CLOSED needs an empty cleanup stack. Work that the last failure cancelled may still defer cleanups before that.
 *
 * Not guaranteed: that work which ignores its token ends. Without a cleanup timeout the scope waits for it. With one the
 * scope names it. Nor does the scope await work that had started when `spawn` threw because the stack overflowed.
 */

import {
  CancellationToken,
  CancelledError,
  CleanupTimeoutError,
  type Clock,
  ClosedError,
  consumeSlice,
  systemClock,
  type Unfinished,
} from '@quiesce/cancellation-token';
import { append, callSite, checkChoice, checkFunction, checkOptions, isThenable, remove } from '@quiesce/internal';
import { CleanupTimeout } from './cleanup-timeout.ts';
import { type CurrentCleanup, type DeferredCleanup, runCleanup } from './cleanups.ts';
import { KeyConflictError } from './errors.ts';
import { abandoned, Failures, givenUp, reportLate, reportUnlessSeen, taskLabel } from './failures.ts';
import { type NestedScopes, registerNested } from './nested-scopes.ts';
import { type Cleanup, quoted, type ScopeOptions, type SpawnOptions } from './options.ts';
import { restarting } from './restart.ts';
import { startTimeOf } from './start-time.ts';
import { endedByCancellation, removeStopSignal, setStopSignal } from './stop-signal.ts';
import { Task, type TaskInfo, type TaskParent } from './task.ts';

const spawnOptions: readonly (keyof SpawnOptions)[] = ['name', 'key', 'onConflict', 'onFailure', 'restart'];

export const BODY = 0;
export const JOINING = 1;
export const CLEANING = 2;
export const CLOSED = 3;

/** The parts of the outer scope that the inner scope of `map`, `race` or `any` takes over. */
export interface Inherited {
  /** The token of the task that contains the inner scope. */
  readonly signal: CancellationToken;
  readonly clock: Clock;
  /** As in the outer scope: work that a sibling has cancelled must not keep it open without a limit. */
  readonly cleanupTimeout: number | undefined;
  /** The spawn site of that task, or `undefined` when sites are not recorded. */
  readonly site: string | undefined;
}

export class ScopeState implements TaskParent {
  /** The first running child, or `undefined` when none runs. */
  head: Task<unknown> | undefined = undefined;
  /** Links in `nested`. */
  next: ScopeState | undefined = undefined;
  prev: ScopeState | undefined = undefined;
  /** The list that finds this scope by the token that it was given, or `undefined` without `signal`. */
  readonly nested: NestedScopes | undefined;
  readonly name: string | undefined;
  readonly token: CancellationToken;
  readonly clock: Clock;
  /** In milliseconds, or `undefined` for no limit. */
  readonly cleanupTimeout: number | undefined;
  readonly recordsSites: boolean;
  /** The spawn site of all its tasks, for the inner scope of `map`, `race` and `any`. */
  readonly #site: string | undefined;
  readonly started: number;
  state: typeof BODY | typeof JOINING | typeof CLEANING | typeof CLOSED = BODY;
  /** Set by `startBody`. Without a body the scope is a block, which ends with `join` or `close`. */
  hasBody = false;
  /** How many tasks and cleanups are on the stack. Such a call must not wait for the scope, which waits for it. */
  activeCalls = 0;
  /** The running cleanup, or `undefined`. */
  currentCleanup: CurrentCleanup | undefined = undefined;
  /** Fulfils when CLOSED. */
  readonly closed: Promise<void>;
  /** How many running children are no daemons (invariant 5). */
  #pending = 0;
  /** Set once all daemons are cancelled; unset when a child is spawned that is no daemon. */
  #isWindingUp = false;
  /** Whether the scope was cancelled, or its body stopped, before the body fulfilled. Set with `#value` by the body's end. */
  #isCancelled = false;
  /** The reason in that case, otherwise the body's value. */
  #value: unknown = undefined;
  /** Created by the first failure. */
  #failures: Failures | undefined = undefined;
  /** The running tasks that have a key. Created by the first one. */
  #keys: Map<unknown, Task<unknown>> | undefined = undefined;
  /** The deferred cleanups. The last one runs first. */
  readonly #cleanups: DeferredCleanup[] = [];
  /** The work that the scope has given up on. */
  readonly #unfinished: Unfinished[] = [];
  /** Ends JOINING; set by the constructor. */
  #resolveJoined: () => void = () => {};
  /** Created by the constructor where `cleanupTimeout` or a deadline is set. */
  readonly #timeout: CleanupTimeout | undefined;

  constructor(options: ScopeOptions = {}, site?: string) {
    const { signal, clock, cleanupTimeout = Number.POSITIVE_INFINITY } = options;
    const outer = signal === undefined ? undefined : CancellationToken.from(signal);
    this.name = options.name;
    this.token = createToken(outer, options);
    if (options.stopSignal !== undefined) setStopSignal(this.token, CancellationToken.from(options.stopSignal));
    this.clock = clock ?? systemClock;
    this.cleanupTimeout = Number.isFinite(cleanupTimeout) ? cleanupTimeout : undefined;
    this.recordsSites = options.spawnSites === true || site !== undefined;
    this.#site = site;
    this.started = this.now();
    this.nested = outer && registerNested(outer, this);
    // Called here, so that the cleanups run in the asynchronous context in which the scope was created.
    this.closed = this.#runCleanups();
    const needsTimeout = this.cleanupTimeout !== undefined || this.token.deadline !== undefined;
    this.#timeout = needsTimeout ? new CleanupTimeout(this) : undefined;
    this.#timeout?.watch();
  }

  /** The number of running tasks, daemons included. */
  get taskCount(): number {
    let count = 0;
    for (let task = this.head; task !== undefined; task = task.next === this.head ? undefined : task.next) count++;
    return count;
  }

  /** Whether the body has not settled, or the block has not ended. */
  get isOpen(): boolean {
    return this.state === BODY;
  }

  /** Whether JOINING is over. */
  get hasJoined(): boolean {
    return this.state >= CLEANING;
  }

  /** In whole milliseconds: small integers allocate nothing. */
  now(): number {
    return Math.floor(this.clock.now());
  }

  /** Calls the body. A cancelled scope does not start it, unless it is a cleanup, which always starts. */
  startBody(body: () => unknown, isCleanup: boolean): void {
    this.hasBody = true;
    const fulfilled = (value: unknown): void => this.bodySettled(value, false);
    const rejected = (error: unknown): void => this.bodySettled(error, true);
    let onEnd = fulfilled;
    let result: unknown;
    try {
      result = this.token.isCancelled && !isCleanup ? undefined : body();
      if (isThenable(result)) {
        Promise.resolve(result).then(fulfilled, rejected);
        return;
      }
    } catch (error) {
      result = error;
      onEnd = rejected;
    }
    // A body that returns no promise has fulfilled synchronously, before any later cancellation.
    onEnd(result);
  }

  /** The body has settled, or the block ends. */
  bodySettled(value: unknown, isError: boolean): void {
    const { token } = this;
    const isFailure = isError && !endedByCancellation(value, token);
    if (this.state !== BODY) {
      if (isFailure) reportLate(`The body of ${this.label()}`, givenUp, value);
      return;
    }
    this.state = JOINING;
    this.#recordResult(value);
    if (isFailure) this.addFailure(value);
    // The stop signal ended the body: the tasks continue, and the scope rejects with that reason at its end.
    else if (isError) this.#isCancelled = true;
    this.checkJoined();
  }

  /** Recorded when the body settles, since a later cancellation must not change the result. */
  #recordResult(value: unknown): void {
    this.#isCancelled = this.token.isCancelled;
    this.#value = this.#isCancelled ? this.token.reason : value;
  }

  /** @param above the public method that the user called: the spawn site is the line that called it */
  spawn<T>(work: (token: CancellationToken) => T, options: SpawnOptions | undefined, above: unknown): Task<Awaited<T>> {
    checkFunction('spawn', work);
    const info = options === undefined && !this.recordsSites ? undefined : this.#taskInfo(options, above);
    const restart = options?.restart;
    const run =
      restart === undefined ? work : restarting(`${callOf(above)}: restart`, work, restart, this.clock, info?.name);
    const started = startTimeOf(this.clock);
    // After all of the caller's code, such as getters of the options and the clock: that code may end a block.
    if (this.state >= CLEANING) throw this.closedError(callOf(above));
    const task = new Task<Awaited<T>>(this, this.token.childToken(), info, started);
    append<Task<unknown>>(this, task);
    if (info?.isDaemon !== true) this.#pending++;
    this.activeCalls++;
    try {
      if (this.#isWindingUp) this.#spawnedWhileWindingUp(task);
      if (info?.key !== undefined) this.#setKey(info.key, task);
      task.start(run);
      this.activeCalls--;
    } catch (error) {
      this.activeCalls--;
      // Only when the stack overflows: the scope must not wait for a task that did not start. The removal is inlined,
      // since a call may find no room on the stack either. No check for the end: the caller is the body or another task,
      // and its own end makes that check.
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

  #taskInfo(options: SpawnOptions | undefined, above: unknown): TaskInfo {
    const call = callOf(above);
    checkOptions(call, options, spawnOptions, ['daemon']);
    const { name, key, daemon, onConflict, onFailure } = options ?? {};
    checkChoice(`${call}: onConflict`, onConflict, ['replace', 'refuse']);
    checkChoice(`${call}: onFailure`, onFailure, ['cancel', 'isolate']);
    if (onConflict === 'refuse' && this.taskOf(key) !== undefined) throw new KeyConflictError(key);
    const site = this.callSite(above);
    return { name, key, site, isDaemon: daemon === true, isIsolated: onFailure === 'isolate' };
  }

  /** The line that called `above`, or `undefined` when the scope records no sites. */
  callSite(above: unknown): string | undefined {
    return this.#site ?? (this.recordsSites ? callSite(above) : undefined);
  }

  taskOf(key: unknown): Task<unknown> | undefined {
    return this.#keys?.get(key);
  }

  /** Sets the new task first: a callback that the cancellation of the earlier one runs finds it. */
  #setKey(key: unknown, task: Task<unknown>): void {
    const earlier = this.taskOf(key);
    this.#keys ??= new Map();
    this.#keys.set(key, task);
    earlier?.cancel(new CancelledError(`${taskLabel(earlier.name)} was replaced by a task with the same key`));
  }

  onTaskEnd(task: Task<unknown>): boolean {
    remove<Task<unknown>>(this, task);
    const keepsParent = task.current === 'rejected' && this.#onTaskFailure(task);
    const info = task.info;
    if (info !== undefined && this.taskOf(info.key) === task) this.#keys?.delete(info.key);
    if (info?.isDaemon !== true) this.#pending--;
    if (this.#pending === 0) this.checkJoined();
    return keepsParent;
  }

  #onTaskFailure(task: Task<unknown>): boolean {
    this.#failures ??= new Failures();
    if (!this.hasBody) reportUnlessSeen(task, this);
    if (task.info?.isIsolated === true) return this.#failures.addIsolated(task);
    this.addFailure(task.value, task.name);
    return false;
  }

  onFailureClaimed(task: Task<unknown>): void {
    this.#failures?.claim(task);
  }

  /** Records a failure, and cancels the token (invariant 2). */
  addFailure(error: unknown, name?: string): void {
    this.#failures ??= new Failures();
    this.#failures.add(error);
    if (this.token.isCancelled) return;
    const failed = name === undefined ? 'A sibling' : taskLabel(name);
    this.token.cancel(new CancelledError(`${failed} in the same scope failed`, { source: 'sibling', cause: error }));
  }

  defer(run: Cleanup, name: string): void {
    checkFunction('defer', run);
    if (this.state === CLOSED) throw this.closedError('defer');
    this.#cleanups.push({ run, name });
  }

  /** Ends JOINING once all children have ended, or the cleanup timeout has passed. Called when either happens. */
  checkJoined(): void {
    if (this.state >= CLEANING) return;
    // The scope cannot give up on a block that has not ended: the code around it still runs.
    if (this.#timeout?.hasPassed === true && (this.hasBody || this.state === JOINING)) this.#giveUp();
    else if (this.state === BODY || this.#pending > 0) return;
    else if (this.head !== undefined) {
      this.#cancelDaemons();
      return;
    }
    // A block lasts until its tasks have ended.
    if (!this.hasBody) this.#recordResult(undefined);
    this.state = CLEANING;
    this.#resolveJoined();
  }

  /** Only daemons are left (invariant 5). */
  #cancelDaemons(): void {
    if (this.#isWindingUp) return;
    this.#isWindingUp = true;
    this.#timeout?.start();
    const reason = this.#daemonReason();
    let task = this.head;
    do {
      // Tasks that are spawned during the loop are appended; none leaves (invariant 6).
      if (task?.info?.isDaemon === true) task.cancel(reason);
      task = task?.next;
    } while (task !== this.head);
  }

  /** A daemon that is spawned now is cancelled at once. Any other task keeps the scope running. */
  #spawnedWhileWindingUp(task: Task<unknown>): void {
    if (task.info?.isDaemon === true) {
      task.cancel(this.#daemonReason());
      return;
    }
    this.#isWindingUp = false;
    // Invariant 7.
    this.#timeout?.reset();
  }

  #daemonReason(): CancelledError {
    return new CancelledError(`All other work of ${this.label()} has ended`, { source: 'scope' });
  }

  /** The one exception to "no task outlives its scope": each running child is named, and reports its failure from now on. */
  #giveUp(): void {
    if (this.state === BODY) this.addUnfinished('the body', this.started);
    for (let task = this.head; task !== undefined; task = this.head) {
      remove<Task<unknown>>(this, task);
      task.parent = abandoned;
      this.addUnfinished(task.name ?? 'a task', task.started, task.info?.site);
    }
    this.#keys = undefined;
  }

  addUnfinished(name: string, started: number, site?: string): void {
    const ageMs = this.now() - started;
    this.#unfinished.push(site === undefined ? { name, ageMs } : { name, ageMs, site });
  }

  /** Everything after JOINING. */
  async #runCleanups(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resolveJoined = resolve;
    });
    this.#timeout?.clearTimer();
    // Invariant 8.
    for (let reported = 0; ; reported = this.#unfinished.length) {
      for (let next = this.#cleanups.pop(); next !== undefined; next = this.#cleanups.pop())
        await runCleanup(this, next);
      if (this.#unfinished.length === reported) break;
      const late = this.#unfinished.slice(reported);
      this.addFailure(new CleanupTimeoutError(this.cleanupTimeout as number, late, { owner: this.label() }));
    }
    this.state = CLOSED;
    if (this.nested !== undefined) remove<ScopeState>(this.nested, this);
    this.#timeout?.unwatch();
    removeStopSignal(this.token);
    this.token.dispose();
  }

  /** Throws the failures, once CLOSED. */
  throwFailures(): void {
    this.#failures?.throw(this.name);
  }

  /** The result of a CLOSED scope: returns the value, or throws the failures or the reason. */
  result(): unknown {
    this.throwFailures();
    if (this.#isCancelled) throw this.#value;
    return this.#value;
  }

  closedError(call: string): ClosedError {
    return new ClosedError(
      `${call}: ${this.label()} has ended: its body and all its tasks are done; ${call} while one of them runs`,
    );
  }

  /** The running work, for error texts. */
  waitsFor(): string {
    if (this.currentCleanup !== undefined) return `cleanup ${JSON.stringify(this.currentCleanup.name)}`;
    const { head, taskCount } = this;
    return taskCount === 1
      ? taskLabel(head?.name).replace(/^./, (letter) => letter.toLowerCase())
      : `${taskCount} tasks`;
  }

  label(): string {
    return `scope${quoted(this.name)}`;
  }
}

/** Runs a body in a scope, and settles when the scope is closed. */
export async function runInScope<T>(state: ScopeState, body: () => T, isCleanup = false): Promise<Awaited<T>> {
  state.startBody(body, isCleanup);
  await state.closed;
  const pause = consumeSlice();
  if (pause !== undefined) await pause;
  return state.result() as Awaited<T>;
}

/** The token of a scope: a child of the given one, with the scope's own deadlines. */
function createToken(outer: CancellationToken | undefined, options: ScopeOptions): CancellationToken {
  const { timeout, deadline, clock } = options;
  const token = outer === undefined ? new CancellationToken() : outer.childToken();
  if (timeout === undefined && deadline === undefined) return token;
  const limited = timeout === undefined ? token : token.withTimeout(timeout, { clock });
  return deadline === undefined ? limited : limited.withDeadline(deadline, { clock });
}

/** The name of the method that the user called; `spawn` for the tasks of `map`, `race` and `any`. */
function callOf(above: unknown): string {
  return typeof above === 'function' ? above.name : 'spawn';
}
