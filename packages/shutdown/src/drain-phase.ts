import { CancellationToken, isCancellationOf, wait } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import {
  ABORT,
  cutOffOf,
  type DrainTarget,
  inFlightOf,
  isAwaitedByProgram,
  type NoticeCount,
  namesIn,
  notifyDrainTarget,
} from './drain-target.ts';
import type { HookRunner } from './hook-runner.ts';
import { isEndBy } from './is-end-by.ts';
import { raceDeadline } from './race-deadline.ts';
import { DRAINING, type SequenceState, STOPPED } from './sequence-state.ts';

/** Stops, drains and cuts off the drainables of one shutdown. Numbers of invariants are those of `shutdown-sequence.ts`. */
export class DrainPhase {
  readonly targets: Set<DrainTarget> = new Set();
  readonly #state: SequenceState;
  readonly #hooks: HookRunner;
  /** The signals of the drains, cancelled when they are no longer awaited: of the program, and of all others. */
  readonly #programEnd: CancellationToken = new CancellationToken({ name: 'program end' });
  readonly #drainEnd: CancellationToken = new CancellationToken({ name: 'drain end' });
  /**
   * Count the drains: those for which the program waits, and the rest: that of guards, and its own. Closed, so that `wait` settles
   * each time they are empty.
   */
  readonly #others: TaskTracker = new TaskTracker({ name: 'drainables' });
  readonly #rest: TaskTracker = new TaskTracker({ name: 'program' });
  /** Cancelled when the drains of all targets have started, and with `stopNow`. */
  readonly #hasStarted: CancellationToken;
  /** How many notices all targets have received. A target that is added later receives them at once. */
  #noticeCount: NoticeCount = 0;

  constructor(state: SequenceState, hooks: HookRunner) {
    this.#state = state;
    this.#hooks = hooks;
    this.#hasStarted = state.stopNow.childToken({ name: 'drains started' });
    this.#others.close();
    this.#rest.close();
  }

  /** Adds a target, which is stopped at once when accepting has ended. */
  add(target: DrainTarget): void {
    this.targets.add(target);
    this.#notifyTarget(target);
    if (this.#state.position === DRAINING) this.#startDrain(target);
  }

  /** Notifies all targets. A target that a callback adds is notified by `add`. */
  notify(count: NoticeCount): void {
    this.#noticeCount = count;
    for (const target of this.targets) this.#notifyTarget(target);
  }

  #notifyTarget(target: DrainTarget): void {
    // A drained target has no work that could be cancelled.
    if (target.state !== 'drained')
      notifyDrainTarget(target, this.#noticeCount, this.#state.reason, this.#state.recordFailure);
  }

  /** Drains all targets, and runs the hooks of this phase. Calls `next` in the same synchronous run (invariant 3). */
  async runAll(next: () => void): Promise<void> {
    const state = this.#state;
    const { clock } = state;
    const hooks = this.#hooks.tracker;
    if (state.force !== undefined) this.notify(ABORT);
    for (const target of this.targets) this.#startDrain(target);
    this.#hasStarted.cancel();
    this.#hooks.pump();
    for (let busy = this.#pendingTracker(); busy !== undefined; busy = this.#pendingTracker()) {
      const isAborted = this.#noticeCount === ABORT;
      const until = isAborted ? state.drainEnd : state.cutOffAt;
      const outcome = await raceDeadline(busy.wait(), Math.max(0, until - clock.now()), state.forced, clock);
      if (outcome === 'done') continue;
      // One iteration of the event loop, so that targets with nothing in flight can settle.
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome === 'forced') break;
      if (this.#pendingTracker() === undefined) continue;
      if (!hooks.isEmpty) state.isOverdue = true;
      // A target with nothing in flight, such as a server with idle connections, is cut off only if it ignores `abort`.
      this.cutOff(isAborted ? 1 : 0);
      if (isAborted) break;
      state.stopNow.cancel(state.reason);
      this.notify(ABORT);
    }
    // After a force, the cleanups of a program that has waited for the others have half of the time. The hooks have the rest.
    if (state.force !== undefined && !this.#programEnd.isCancelled) {
      await raceDeadline(this.#rest.wait(), Math.max(0, state.forceEnd - clock.now()) / 2, undefined, clock);
    }
    // The remaining hooks share the remaining time. Nothing else is awaited.
    while (!hooks.isEmpty) await wait(hooks.wait());
    next();
  }

  /** Waits until no drain is in progress for which the program waits, or until `stopNow` is cancelled. Never rejects. */
  async othersEnded(): Promise<void> {
    const { stopNow, clock } = this.#state;
    await this.#hasStarted.cancelled();
    // A target that is added later starts to drain after others have ended.
    while (!stopNow.isCancelled && !this.#others.isEmpty)
      await raceDeadline(this.#others.wait(), Number.POSITIVE_INFINITY, stopNow, clock);
  }

  /** Returns a tracker that this phase still waits for, or `undefined`. */
  #pendingTracker(): TaskTracker | undefined {
    return [this.#hooks.tracker, this.#others, this.#rest].find((tracker) => !tracker.isEmpty);
  }

  /** Records the work that is cancelled now. `least`: the count for a target that is not drained and has no number. */
  cutOff(least: 0 | 1): void {
    const { position, force } = this.#state;
    if (position > DRAINING) return;
    for (const target of this.targets) {
      // The cleanups of the program continue until the end of `cancelTimeout`. They may have waited for others until now.
      if (least === 0 && force === undefined && target.program?.isCleaning() === true) continue;
      const count = Math.max(least, inFlightOf(target));
      if (target.state === 'drained' || target.cutOff > 0 || count === 0) continue;
      target.cutOff = count;
      target.cutOffNames = namesIn(target);
      this.#state.isOverdue = true;
      this.#state.emit({ type: 'cut off', ...cutOffOf(target) });
    }
  }

  /** Cancels the signal of all drains: they are no longer awaited. */
  endDrains(): void {
    this.#drainEnd.cancel(this.#state.reason);
    this.#programEnd.cancel(this.#state.reason);
  }

  /**
   * Aborts all targets, and no longer awaits them. Targets that are not stopped yet are aborted when they are. A program that
   * only waits for the others is still awaited, because its cleanups begin now.
   */
  force(): void {
    const isWaiting = [...this.targets].some(({ program }) => program?.isWaiting() === true);
    if (this.#state.position === DRAINING) this.notify(ABORT);
    this.#drainEnd.cancel(this.#state.reason);
    if (!isWaiting) this.#programEnd.cancel(this.#state.reason);
  }

  #startDrain(target: DrainTarget): void {
    void (isAwaitedByProgram(target) ? this.#others : this.#rest).track(this.#drain(target));
  }

  /** Never rejects (invariant 6). */
  async #drain(target: DrainTarget): Promise<void> {
    const state = this.#state;
    if (target.state !== 'waiting') return;
    target.state = 'draining';
    target.started = state.clock.now();
    target.atStart = inFlightOf(target);
    // Its own token: a drainable that cancels or disposes it affects no other.
    const end = target.program === undefined ? this.#drainEnd : this.#programEnd;
    const signal = end.childToken({ name: target.name });
    try {
      await target.drainable.drain(signal);
    } catch (error) {
      if (!isCancellationOf(error, signal) && !isEndBy(error, state.stopAccepting))
        state.recordFailure(`drain() of ${JSON.stringify(target.name)}`, error);
      // A target that has failed, or that gives up at the end, has not drained its work.
      if (inFlightOf(target) > 0) return;
    } finally {
      signal.dispose();
    }
    // A target that was cut off may still finish late.
    if (state.position === STOPPED) return;
    target.state = 'drained';
    target.durationMs = state.clock.now() - target.started;
    state.emit({ type: 'drained', name: target.name, durationMs: target.durationMs });
  }
}
