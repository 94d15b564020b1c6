/**
 * The steps of one shutdown.
 *
 *     running ──► stopping ──────────► draining ──────────► cleanup ─────────► stopped
 *        a request   readiness is false,  work in progress     hooks run one at   the report
 *                    hooks, the delay,    ends or is cut off,  a time, then the   is ready
 *                    then accepting ends  and its hooks run    `final` ones
 *
 *     force: every wait ends, both tokens are cancelled, and the remaining hooks share `forceTimeout`
 *
 * Invariants
 *  1. The position only grows, and each phase is passed, even when forced: every registered hook ends with an outcome. A hook
 *     that was never started is `skipped`.
 *  2. Only the first request counts. Its reason is the reason of both tokens.
 *  3. A phase ends in the same synchronous run that found nothing of it in progress. Work accepted before is not lost.
 *  4. `request`, `force` and `addHook` call no hook and stop no drainable synchronously. They may run callbacks of the tokens,
 *     and `force` aborts drainables that drain.
 *  5. Hooks run one at a time. A hook that was given up may still run beside the next.
 *  6. `#run` continues whatever a hook or a drainable throws: the error is recorded.
 *
 * Not guaranteed: that anything else runs while a hook blocks the event loop. The watchdog is for that.
 *
 * Dependencies: `SequenceState` ← `HookRunner` ← `DrainPhase` ← `ShutdownSequence` → events → reporters.
 */

import {
  CancellationToken,
  CancelledError,
  type Clock,
  ClosedError,
  type Timer,
  wait,
} from '@quiesce/cancellation-token';
import { DrainPhase } from './drain-phase.ts';
import { ABORT, ANNOUNCE, type DrainTarget, STOP } from './drain-target.ts';
import type { ShutdownEvent } from './events.ts';
import { HookRunner } from './hook-runner.ts';
import type { Hook, Hooks } from './hooks.ts';
import type { Limits } from './options.ts';
import { raceDeadline } from './race-deadline.ts';
import { reasonOf, type ShutdownRequest } from './request.ts';
import { CLEANUP, DRAINING, FINAL, SequenceState, STOPPED, STOPPING } from './sequence-state.ts';
import type { ShutdownForce } from './state.ts';

/** The program of `runMain`, as a target. */
export interface Program {
  readonly target: DrainTarget;
  /** Returns whether a signal that requests the shutdown interrupts the program. */
  readonly isInterruptible: () => boolean;
}

export class ShutdownSequence {
  readonly state: SequenceState;
  /** Set by `runMain`: its program, which a signal may interrupt. */
  program: Program | undefined = undefined;
  /** Set with the request: whether a signal has interrupted the program. */
  isInterrupted = false;
  /** Called once, at the end. It must not throw. */
  readonly #stopped: () => void;
  readonly #runner: HookRunner;
  readonly #drains: DrainPhase;
  /** Set by the request. Cleared when the phase `final` begins. */
  #deadline: Timer | undefined = undefined;

  constructor(clock: Clock, limits: Limits, emit: (event: ShutdownEvent) => void, stopped: () => void) {
    this.state = new SequenceState(clock, limits, emit);
    this.#runner = new HookRunner(this.state);
    this.#drains = new DrainPhase(this.state, this.#runner);
    this.#stopped = stopped;
  }

  get hooks(): Hooks {
    return this.#runner.hooks;
  }

  get targets(): Set<DrainTarget> {
    return this.#drains.targets;
  }

  /** Waits until no drain is in progress for which the program waits, or until `stopNow` is cancelled. Never rejects. */
  othersEnded(): Promise<void> {
    return this.#drains.othersEnded();
  }

  /** The hook that is running, or `undefined`. */
  get currentHook(): Hook | undefined {
    return this.#runner.current;
  }

  /** Starts the shutdown. Returns whether this is the first request (invariant 2). */
  request(request: ShutdownRequest): boolean {
    const { state } = this;
    if (state.request !== undefined) return false;
    const { clock, limits } = state;
    state.request = request;
    state.wallStart = clock.wall();
    state.reason = reasonOf(request);
    state.end = clock.now() + limits.timeout;
    this.#deadline = clock.setTimer(limits.timeout, () => this.force({ by: 'deadline' }), { ref: true });
    state.position = STOPPING;
    state.times.push(clock.now());
    state.emit({ type: 'requested', request });
    this.isInterrupted = request.kind === 'signal' && this.program?.isInterruptible() === true;
    state.emit({ type: 'state', state: state.current });
    void this.#run();
    return true;
  }

  /** Ends every wait. Returns false when the shutdown was forced before, or has stopped. */
  force(force: ShutdownForce): boolean {
    const { state } = this;
    if (state.request === undefined) this.request({ kind: 'call' });
    if (state.force !== undefined || state.position === STOPPED) return false;
    state.force = force;
    state.forceEnd = state.clock.now() + state.limits.forceTimeout;
    state.emit({ type: 'forced', force });
    const by = force.signal ?? (force.by === 'deadline' ? 'its deadline' : 'a call');
    this.#drains.cutOff(0);
    // `undefined` in the phase `final`, which has a limit of its own.
    const running = this.#runner.currentToken;
    state.stopNow.cancel(state.reason);
    running?.cancel(new CancelledError(`The shutdown was forced by ${by}`, { source: 'shutdown' }));
    this.#drains.force();
    state.forced.cancel();
    return true;
  }

  /** Adds a hook, also while its phase runs. */
  addHook(hook: Hook): void {
    const { position, clock, finalEnd } = this.state;
    const isOver = position === FINAL && clock.now() >= finalEnd;
    if (isOver || hook.at < position) throw this.#tooLate(`hook ${JSON.stringify(hook.name)}`);
    this.#runner.add(hook);
  }

  /** Adds a target to drain. */
  addTarget(target: DrainTarget): void {
    if (this.state.position > DRAINING) throw this.#tooLate(`drainable ${JSON.stringify(target.name)}`);
    this.#drains.add(target);
  }

  #tooLate(what: string): ClosedError {
    return new ClosedError(
      `${what} comes too late: its phase is over (state ${this.state.current}). Add it before the shutdown reaches that phase`,
    );
  }

  /** Runs all phases (invariants 1, 6). */
  async #run(): Promise<void> {
    // Invariant 4.
    await undefined;
    await this.#stop();
    await this.#drains.runAll(() => this.#enterCleanup());
    await this.#runner.runAll(() => this.#enterFinal());
    await this.#runner.runAll(() => this.state.enter(STOPPED));
    this.#stopped();
  }

  async #stop(): Promise<void> {
    const { state } = this;
    const { clock, limits } = state;
    const { tracker } = this.#runner;
    this.#drains.notify(ANNOUNCE);
    const until = clock.now() + limits.readinessDelay;
    for (this.#runner.pump(); this.#runner.isBusy || until > clock.now(); ) {
      if (tracker.isEmpty && state.force !== undefined) break;
      const left = Math.max(0, until - clock.now());
      if (!tracker.isEmpty) await wait(tracker.wait());
      else await raceDeadline(CancellationToken.never, left, state.forced, clock);
    }
    state.stopAccepting.cancel(state.reason);
    this.#drains.notify(STOP);
    state.cutOffAt = clock.now() + limits.drainTimeout;
    state.drainEnd = state.cutOffAt + limits.cancelTimeout;
    state.enter(DRAINING);
  }

  #enterCleanup(): void {
    this.state.enter(CLEANUP);
    this.state.stopNow.cancel(this.state.reason);
    this.#drains.notify(ABORT);
    this.#drains.endDrains();
  }

  #enterFinal(): void {
    const { state } = this;
    if (this.#deadline !== undefined) state.clock.clearTimer(this.#deadline);
    state.finalEnd = state.clock.now() + state.limits.finalTimeout;
    state.enter(FINAL);
  }
}
