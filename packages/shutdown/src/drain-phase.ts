import { CancellationToken, isCancellationOf, wait } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import {
  cutOffOf,
  type DrainTarget,
  inFlightOf,
  type NoticeLevel,
  namesIn,
  notifyDrainTarget,
} from './drain-target.ts';
import type { HookRunner } from './hook-runner.ts';
import { isEndBy } from './is-end-by.ts';
import { DRAINING, type SequenceState, STOPPED } from './sequence-state.ts';
import { within } from './within.ts';

/** Stops, drains and cuts off what was added to one shutdown. Numbers of invariants are those of `shutdown-sequence.ts`. */
export class DrainPhase {
  readonly targets: Set<DrainTarget> = new Set();
  readonly #state: SequenceState;
  readonly #hooks: HookRunner;
  /** The first token of each drain: cancelled at `drainTimeout`, like `stopNow`, to which users have access. */
  readonly #drainDeadline: CancellationToken = new CancellationToken({ name: 'drain deadline' });
  /** The second token of each drain: cancelled when the drain is no longer awaited. */
  readonly #drainAbort: CancellationToken = new CancellationToken({ name: 'drain abort' });
  /** Counts the drains. Closed, so that `wait` settles each time it is empty. */
  readonly #tracker: TaskTracker = new TaskTracker({ name: 'drainables' });
  /** The last notice that all targets have received. A target that is added later receives it at once. */
  #level: NoticeLevel = 'none';

  constructor(state: SequenceState, hooks: HookRunner) {
    this.#state = state;
    this.#hooks = hooks;
    this.#tracker.close();
  }

  /** Adds a target, which is stopped at once when accepting has ended. */
  add(target: DrainTarget): void {
    this.targets.add(target);
    notifyDrainTarget(target, this.#level, this.#state.recordFailure);
    if (this.#state.position === DRAINING) void this.#tracker.track(this.#drain(target));
  }

  /** Notifies all targets. A target that a callback adds is notified by `add`. */
  notify(level: NoticeLevel): void {
    this.#level = level;
    for (const target of this.targets) notifyDrainTarget(target, level, this.#state.recordFailure);
  }

  /** Drains all targets, and runs the hooks of this phase. Calls `next` in the same synchronous run (invariant 3). */
  async runAll(next: () => void): Promise<void> {
    const state = this.#state;
    const { clock } = state;
    const hooks = this.#hooks.tracker;
    for (const target of this.targets) void this.#tracker.track(this.#drain(target));
    this.#hooks.pump();
    for (let busy = this.#pendingTracker(); busy !== undefined; busy = this.#pendingTracker()) {
      const isCancelled = this.#drainDeadline.isCancelled;
      const until = isCancelled ? state.drainEnd : state.cutOffAt;
      const outcome = await within(busy.wait(), Math.max(0, until - clock.now()), state.forced, clock);
      if (outcome === 'done') continue;
      // One turn of the event loop, so that targets with nothing in flight can settle.
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome === 'forced') break;
      if (this.#pendingTracker() === undefined) continue;
      if (!hooks.isEmpty) state.isOverdue = true;
      // A target with nothing in flight, such as a server with idle connections, is cut off only if it ignores its token.
      this.cutOff(isCancelled ? 1 : 0);
      if (isCancelled) break;
      state.stopNow.cancel(state.reason);
      this.#drainDeadline.cancel();
    }
    // The remaining hooks share the remaining time. Nothing else is awaited.
    while (!hooks.isEmpty) await wait(hooks.wait());
    next();
  }

  /** Returns a tracker that this phase still waits for, or `undefined`. */
  #pendingTracker(): TaskTracker | undefined {
    return [this.#hooks.tracker, this.#tracker].find((tracker) => !tracker.isEmpty);
  }

  /** Records what is cancelled now. `least`: the count for a target that is not drained and has no number. */
  cutOff(least: 0 | 1): void {
    if (this.#state.position > DRAINING) return;
    for (const target of this.targets) {
      const count = Math.max(least, inFlightOf(target));
      if (target.state === 'drained' || target.cutOff > 0 || count === 0) continue;
      target.cutOff = count;
      target.cutOffNames = namesIn(target);
      this.#state.isOverdue = true;
      this.#state.emit({ type: 'cut off', ...cutOffOf(target) });
    }
  }

  /** Cancels the tokens of all drains: they are no longer awaited. */
  abort(): void {
    this.#drainAbort.cancel();
  }

  /** As `abort`, before or at `drainTimeout`. */
  abortNow(): void {
    this.#drainDeadline.cancel();
    this.#drainAbort.cancel();
  }

  /** Never rejects (invariant 6). */
  async #drain(target: DrainTarget): Promise<void> {
    const state = this.#state;
    if (target.state !== 'waiting') return;
    target.state = 'draining';
    target.started = state.clock.now();
    target.atStart = inFlightOf(target);
    // At the first token the target cancels its work, and waits for it within a limit of its own. The second token is the limit of the shutdown.
    for (const token of [this.#drainDeadline, this.#drainAbort]) {
      try {
        await target.drainable.drain(token);
        break;
      } catch (error) {
        const isCancellation = isCancellationOf(error, token);
        if (!isCancellation && !isEndBy(error, state.stopAccepting))
          state.recordFailure(`drain() of ${JSON.stringify(target.name)}`, error);
        if (inFlightOf(target) === 0) break;
        // A target that has failed, or that gives up at the second token, has not drained its work.
        if (!isCancellation || this.#drainAbort.isCancelled) return;
      }
    }
    // A target that was cut off may still finish late.
    if (state.position === STOPPED) return;
    target.state = 'drained';
    target.durationMs = state.clock.now() - target.started;
    state.emit({ type: 'drained', name: target.name, durationMs: target.durationMs });
  }
}
