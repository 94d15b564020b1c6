/**
 * The machine of one shutdown.
 *
 *     running ──► stopping ──────────► draining ──────────► cleanup ─────────► stopped
 *        a request   readiness is false,  what is in flight    hooks, one at a    the report
 *                    hooks, the delay,    ends, or is cut off, time, then those
 *                    then accepting ends  and its hooks        that are `final`
 *
 *     force: every wait ends, both tokens are cancelled, and what is left shares `forceTimeout`
 *
 * Invariants
 *  1. `phase` only grows, and each phase is gone through, also when forced: every hook that was registered ends with an
 *     outcome, and one that was never started is `skipped`.
 *  2. The first request is the one. Its reason is the reason of both tokens.
 *  3. A phase ends in the synchronous run in which nothing of it was found under way: what was accepted before is not lost.
 *  4. Within `request`, `force` and `hook` no hook is called and no drainable is stopped; callbacks of the tokens may be.
 *  5. Hooks run one at a time. One that was given up may still be running beside the next.
 *  6. Whatever a hook or a drainable does, `#run` goes on: what it throws is recorded.
 *
 * Not guaranteed: that a hook which spins lets anything else run. That is what the watchdog is for.
 */

import {
  CancellationToken,
  CancelledError,
  type Clock,
  ClosedError,
  isCancellationOf,
  reportUncaught,
  TimeoutError,
  type Timer,
  wait,
} from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import type { ShutdownEvent, ShutdownForce, ShutdownState } from './events.ts';
import { type Hook, type HookOutcome, Hooks } from './hooks.ts';
import { isEndBy } from './is-end-by.ts';
import type { Limits } from './options.ts';
import { cutOffOf, inFlightOf, namesIn, type Part, type Told, tellPart } from './parts.ts';
import { reasonOf, type ShutdownRequest } from './request.ts';
import { within } from './within.ts';

/** What a hook does. */
export type HookFunction = (token: CancellationToken, request: ShutdownRequest) => unknown;

/** Something that failed, and where. */
export interface ReportedError {
  /** What failed: `hook db`, `uncaught exception`, the name of a part. */
  readonly where: string;
  /** What it failed with, verbatim. */
  readonly error: unknown;
}

/** The program of `runMain`, as one of the parts. */
export interface Program {
  readonly part: Part;
  /** Asked when a signal requests the shutdown: whether that interrupts the program. */
  readonly isInterruptible: () => boolean;
}

const RUNNING = -1;
const STOPPING = 0;
const DRAINING = 1;
const CLEANUP = 2;
const FINAL = 3;
const STOPPED = 4;
const NEVER = Number.POSITIVE_INFINITY;

const states: readonly ShutdownState[] = ['running', 'stopping', 'draining', 'cleanup', 'cleanup', 'stopped'];

export class Machine {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly stopNow: CancellationToken = new CancellationToken({ name: 'stop now' });
  readonly stopAccepting: CancellationToken = this.stopNow.childToken({ name: 'stop accepting' });
  readonly hooks: Hooks<HookFunction> = new Hooks();
  readonly parts: Set<Part> = new Set();
  readonly errors: ReportedError[] = [];
  /** When each phase began, as far as it has; and when the last one ended. In ms of the clock. */
  readonly times: number[] = [];
  phase: typeof RUNNING | typeof STOPPING | typeof DRAINING | typeof CLEANUP | typeof FINAL | typeof STOPPED = RUNNING;
  /** Set once, by the first `ask`. */
  request: ShutdownRequest | undefined = undefined;
  /** Set with `request`: the time of day. */
  wallStart = 0;
  /** Set once, by `force`. */
  force: ShutdownForce | undefined = undefined;
  /** Whether time ran out for what was in flight. */
  isOverdue = false;
  /** Set by `runMain`: its program, which a signal may interrupt. */
  program: Program | undefined = undefined;
  /** Set with `request`: whether it is a signal that has interrupted the program. */
  isInterrupted = false;
  /** What each step is told to; it must not throw. */
  readonly #tell: (event: ShutdownEvent) => void;
  /** Called once, at the end; it must not throw. */
  readonly #stopped: () => void;
  /** The reason of both tokens, made once (invariant 2). */
  #reason: unknown = undefined;
  /** Cancelled by `force`: ends every wait. */
  readonly #forced: CancellationToken = new CancellationToken({ name: 'forced' });
  /** What drainables wait with first: cancelled with `stopNow`, which is in the hands of others. */
  readonly #overdue: CancellationToken = new CancellationToken({ name: 'time is over' });
  /** What they wait with then: cancelled when they are no longer waited for. */
  readonly #patience: CancellationToken = new CancellationToken({ name: 'no longer waited for' });
  /** Both are closed, so that each time at which they are empty is told. */
  readonly #running: TaskTracker = new TaskTracker({ name: 'hooks' });
  readonly #draining: TaskTracker = new TaskTracker({ name: 'drainables' });
  /** What drainables were told of accepting: whoever comes later is told it too. */
  #told: Told = 'nothing';
  /** Whether a loop over the hooks of this phase is under way (invariant 5). */
  #isPumping = false;
  /** The hook that is running; `undefined`: none is. */
  current: Hook<HookFunction> | undefined = undefined;
  /** Its token, for `force`; `undefined` in the last level, which is not forced. */
  #current: CancellationToken | undefined = undefined;
  /** Set by `ask`, and taken back when `final` begins. */
  #deadline: Timer | undefined = undefined;
  /** When what is under way must end, in ms of the clock; set when that time begins to run. */
  #end = NEVER;
  #cutOffAt = NEVER;
  #drainEnd = NEVER;
  #forceEnd = NEVER;
  #finalEnd = NEVER;

  constructor(clock: Clock, limits: Limits, tell: (event: ShutdownEvent) => void, stopped: () => void) {
    this.clock = clock;
    this.limits = limits;
    this.#tell = tell;
    this.#stopped = stopped;
    this.#running.close();
    this.#draining.close();
  }

  get state(): ShutdownState {
    return states[this.phase + 1] as ShutdownState;
  }

  /** Since the request, up to the end; 0 before. */
  elapsed(): number {
    const [start] = this.times;
    if (start === undefined) return 0;
    return (this.times[STOPPED] ?? this.clock.now()) - start;
  }

  /** A request; only the first one counts (invariant 2). */
  ask(request: ShutdownRequest): boolean {
    if (this.request !== undefined) return false;
    const { clock, limits } = this;
    this.request = request;
    this.wallStart = clock.wall();
    this.#reason = reasonOf(request);
    this.#end = clock.now() + limits.timeout;
    this.#deadline = clock.setTimer(limits.timeout, () => this.forceBy({ by: 'deadline' }), { ref: true });
    this.phase = STOPPING;
    this.times.push(clock.now());
    this.#tell({ type: 'requested', request });
    this.isInterrupted = request.kind === 'signal' && this.program?.isInterruptible() === true;
    this.#tell({ type: 'state', state: this.state });
    void this.#run();
    return true;
  }

  /** Ends every wait; only the first one counts. */
  forceBy(force: ShutdownForce): boolean {
    if (this.request === undefined) this.ask({ kind: 'call' });
    if (this.force !== undefined || this.phase === STOPPED) return false;
    this.force = force;
    this.#forceEnd = this.clock.now() + this.limits.forceTimeout;
    this.#tell({ type: 'forced', force });
    const by = force.signal ?? (force.by === 'deadline' ? 'its deadline' : 'a call');
    this.#cutOff(0);
    // None in the last level, which has a time of its own.
    const running = this.#current;
    this.stopNow.cancel(this.#reason);
    running?.cancel(new CancelledError(`The shutdown was forced by ${by}`, { source: 'shutdown' }));
    this.#overdue.cancel();
    this.#patience.cancel();
    this.#forced.cancel();
    return true;
  }

  /** An error of somebody else's: it is reported, and makes the exit code 1. */
  failed(where: string, error: unknown): void {
    this.errors.push({ where, error });
    this.#tell({ type: 'error', where, error });
  }

  /** The same for what was called here; once the report is out it goes to the uncaught handler, or it would be lost. */
  readonly #onFailure = (where: string, error: unknown): void => {
    if (this.phase === STOPPED) reportUncaught(new Error(`${where}: it failed`, { cause: error }));
    else this.failed(where, error);
  };

  /** Takes a hook in, also one that comes while its phase is under way. */
  addHook(hook: Hook<HookFunction>): void {
    const isOver = this.phase === FINAL && this.clock.now() >= this.#finalEnd;
    if (isOver || hook.at < this.phase) throw this.#tooLate(`hook ${JSON.stringify(hook.name)}`);
    this.hooks.add(hook);
    if (hook.at === this.phase) this.#pump();
  }

  /** Takes in something to drain, which is stopped at once where accepting has ended. */
  addPart(part: Part): void {
    if (this.phase > DRAINING) throw this.#tooLate(`drainable ${JSON.stringify(part.name)}`);
    this.parts.add(part);
    tellPart(part, this.#told, this.#onFailure);
    if (this.phase === DRAINING) void this.#draining.track(this.#drain(part));
  }

  #tooLate(what: string): ClosedError {
    return new ClosedError(
      `${what} comes too late: the shutdown is past the phase in which it would have its turn (state ${this.state})`,
    );
  }

  #enter(phase: typeof DRAINING | typeof CLEANUP | typeof FINAL | typeof STOPPED): void {
    const before = this.state;
    this.phase = phase;
    this.times[phase] = this.clock.now();
    if (this.state !== before && phase !== STOPPED) this.#tell({ type: 'state', state: this.state });
  }

  /** The whole way (invariants 1, 6). */
  async #run(): Promise<void> {
    // Invariant 4.
    await undefined;
    await this.#stop();
    await this.#drainAll();
    await this.#runHooks(() => this.#enterFinal());
    await this.#runHooks(() => this.#enter(STOPPED));
    this.#stopped();
  }

  #enterFinal(): void {
    if (this.#deadline !== undefined) this.clock.clearTimer(this.#deadline);
    this.#finalEnd = this.clock.now() + this.limits.finalTimeout;
    this.#enter(FINAL);
  }

  async #stop(): Promise<void> {
    const { clock } = this;
    this.#tellParts('announced');
    const until = clock.now() + this.limits.readinessDelay;
    for (this.#pump(); this.#isBusy() || until > clock.now(); ) {
      if (this.#running.isEmpty && this.force !== undefined) break;
      const left = Math.max(0, until - clock.now());
      if (!this.#running.isEmpty) await wait(this.#running.wait());
      else await within(CancellationToken.never, left, this.#forced, clock);
    }
    this.stopAccepting.cancel(this.#reason);
    this.#tellParts('stopped');
    const { drainTimeout, cancelTimeout } = this.limits;
    this.#cutOffAt = this.clock.now() + drainTimeout;
    this.#drainEnd = this.#cutOffAt + cancelTimeout;
    this.#enter(DRAINING);
  }

  async #drainAll(): Promise<void> {
    const { clock } = this;
    for (const part of this.parts) void this.#draining.track(this.#drain(part));
    this.#pump();
    for (let busy = this.#underWay(); busy !== undefined; busy = this.#underWay()) {
      const isTold = this.#overdue.isCancelled;
      const until = isTold ? this.#drainEnd : this.#cutOffAt;
      const outcome = await within(busy.wait(), Math.max(0, until - clock.now()), this.#forced, clock);
      if (outcome === 'done') continue;
      // One turn, in which what has nothing in flight says so.
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome === 'forced') break;
      if (this.#underWay() === undefined) continue;
      if (!this.#running.isEmpty) this.isOverdue = true;
      // A part with nothing in flight, as a server with idle connections, is cut off only if it does not end when it is told to.
      this.#cutOff(isTold ? 1 : 0);
      if (isTold) break;
      this.stopNow.cancel(this.#reason);
      this.#overdue.cancel();
    }
    // What is left of the hooks has its share of the time that is left; nothing else is waited for.
    while (!this.#running.isEmpty) await wait(this.#running.wait());
    this.#enter(CLEANUP);
    this.stopNow.cancel(this.#reason);
    this.#patience.cancel();
  }

  /** What this phase still waits for; `undefined`: nothing. */
  #underWay(): TaskTracker | undefined {
    return [this.#running, this.#draining].find((tracker) => !tracker.isEmpty);
  }

  /** Notes what is cancelled now. `least`: how much counts for one that is not drained and names no number. */
  #cutOff(least: 0 | 1): void {
    if (this.phase > DRAINING) return;
    for (const part of this.parts) {
      const count = Math.max(least, inFlightOf(part));
      if (part.state === 'drained' || part.cutOff > 0 || count === 0) continue;
      part.cutOff = count;
      part.cutOffNames = namesIn(part);
      this.isOverdue = true;
      this.#tell({ type: 'cut off', ...cutOffOf(part) });
    }
  }

  /** Whoever is added by one of them meanwhile is told by `addPart`. */
  #tellParts(told: Told): void {
    this.#told = told;
    for (const part of this.parts) tellPart(part, told, this.#onFailure);
  }

  /** Never rejects (invariant 6). */
  async #drain(part: Part): Promise<void> {
    if (part.state !== 'waiting') return;
    part.state = 'draining';
    part.started = this.clock.now();
    part.atStart = inFlightOf(part);
    // Told that its time is over it cancels what it has, and waits for that as long as it sees fit: we have our own limit.
    for (const token of [this.#overdue, this.#patience]) {
      try {
        await part.drainable.drain(token);
        break;
      } catch (error) {
        const isToldTo = isCancellationOf(error, token);
        if (!isToldTo && !isEndBy(error, this.stopAccepting))
          this.#onFailure(`drain() of ${JSON.stringify(part.name)}`, error);
        if (inFlightOf(part) === 0) break;
        // Whoever gives up for good, because it was told to or because it failed, has not drained what is left.
        if (!isToldTo || this.#patience.isCancelled) return;
      }
    }
    // It may be late, and is then cut off, but has finished.
    if (this.phase === STOPPED) return;
    part.state = 'drained';
    part.durationMs = this.clock.now() - part.started;
    this.#tell({ type: 'drained', name: part.name, durationMs: part.durationMs });
  }

  /** Whether hooks of this phase are running or could. */
  #isBusy(): boolean {
    return !this.#running.isEmpty || this.hooks.next(this.phase) !== undefined;
  }

  /** All hooks of this phase, also those that are registered meanwhile; `next` in the same run (invariant 3). */
  async #runHooks(next: () => void): Promise<void> {
    do {
      this.#pump();
      while (!this.#running.isEmpty) await wait(this.#running.wait());
    } while (this.#isBusy());
    next();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    void this.#running.track(this.#pumpAll());
  }

  async #pumpAll(): Promise<void> {
    // Invariant 4.
    await undefined;
    // The phase is asked anew: one that is registered by a callback at the end of a phase runs at the beginning of the next.
    for (let hook = this.hooks.next(this.phase); hook !== undefined; hook = this.hooks.next(this.phase)) {
      await this.#runHook(hook);
    }
    this.#isPumping = false;
  }

  /** For how long a hook may run if it has no timeout of its own, and at the most. */
  #timeFor(hook: Hook<HookFunction>): number {
    const now = this.clock.now();
    if (hook.phase === 'final') return this.#finalEnd - now;
    const end = this.force === undefined ? this.#end : this.#forceEnd;
    return (hook.phase === 'draining' ? Math.min(end, this.#drainEnd) : end) - now;
  }

  async #runHook(hook: Hook<HookFunction>): Promise<void> {
    const { clock } = this;
    const isFinal = hook.phase === 'final';
    const own = hook.timeout ?? (hook.phase === 'draining' ? NEVER : this.limits.hookTimeout);
    const most = this.#timeFor(hook);
    if (most <= 0 && !isFinal) return this.#endHook(hook, 'skipped', undefined);
    const limit = Math.max(0, Math.min(own, most));
    const { name, phase } = hook;
    const below = phase === 'draining' ? this.stopNow.childToken({ name }) : new CancellationToken({ name });
    const token = limit < NEVER ? below.withTimeout(limit, { name, clock }) : below;
    hook.state = 'running';
    hook.started = clock.now();
    this.current = hook;
    this.#current = isFinal ? undefined : token;
    const before = this.force;
    this.#tell({ type: 'hook:start', hook: name, phase, limitMs: limit });
    let isGivenUp = false;
    let end: { readonly isError: boolean; readonly error: unknown } | undefined;
    const run = async (): Promise<unknown> => hook.run(token, this.request as ShutdownRequest);
    const work = run().then(
      () => {
        end = { isError: false, error: undefined };
      },
      (error) => {
        end = { isError: true, error };
        if (!isGivenUp || isCancellationOf(error, token)) return;
        this.#onFailure(`hook ${JSON.stringify(name)}, after it was given up`, error);
      },
    );
    // One that has forced it while it was called is given up like any other, but for what it has done by then.
    const hasForced = this.force !== before && !isFinal;
    const forced = this.force === undefined && !isFinal ? this.#forced : undefined;
    const waited = await within(work, hasForced ? 0 : limit, forced, clock);
    isGivenUp = end === undefined;
    this.current = undefined;
    this.#current = undefined;
    if (end === undefined) this.#endHook(hook, waited === 'forced' || hasForced ? 'cut off' : 'timed out', undefined);
    else if (!end.isError) this.#endHook(hook, 'done', undefined);
    else if (!isCancellationOf(end.error, token)) this.#endHook(hook, 'failed', end.error);
    else this.#endHook(hook, token.reason instanceof TimeoutError ? 'timed out' : 'cut off', undefined);
    // One that was given up sees why; its deadline has no timer unless it listens.
    if (isGivenUp) token.cancel(new TimeoutError(limit));
    token.dispose();
    below.dispose();
  }

  #endHook(hook: Hook<HookFunction>, outcome: HookOutcome, error: unknown): void {
    const { name, phase } = hook;
    hook.durationMs = hook.state === 'running' ? this.clock.now() - hook.started : 0;
    hook.state = 'ended';
    hook.outcome = outcome;
    hook.error = error;
    this.#tell({ type: 'hook:end', hook: name, phase, outcome, durationMs: hook.durationMs, error });
  }
}
