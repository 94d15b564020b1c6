import type { Clock } from '@quiesce/cancellation-token';
import { callSite, defineHandle, isNamed } from '@quiesce/internal';
import { TaskTracker } from '@quiesce/scope';
import type { Unfinished } from '@quiesce/select';
import { createDrainTarget, type DrainTarget } from './drain-target.ts';
import type { LeakReport } from './report.ts';

/** The facts of a guard that is held. They must not refer to the guard, which would then never be collected. */
interface HeldGuard {
  readonly name: string;
  readonly started: number;
  /** The place where it was made, or `undefined` without leak detection. */
  readonly site: string | undefined;
  /** The guard of the tracker, which counts it. */
  readonly counted: { dispose(): void };
}

/**
 * One item in flight, until it is disposed. Created by `shutdown.guard(name)`.
 *
 * @see tokio_util::task::task_tracker::TaskTrackerToken (tokio-util 0.7.19)
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const guard = shutdown.guard('upload');
 * shutdown.request('deploy');
 * console.log(guard.isHeld, shutdown.progress.inFlightCount); // => true 1
 * guard.dispose(); // the shutdown was waiting for it
 * console.log((await shutdown.stopped()).exitCode); // => 0
 * ```
 */
export class ShutdownGuard implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ShutdownGuard, {
    name: 'guard',
    owns: (value) => #release in value,
    dispose: 'dispose',
    facts: ({ name, isHeld }) => ({ name, isHeld }),
  });
  /** The name that `guard` was called with. */
  readonly name: string;
  /** Cleared by `dispose`. */
  #release: (() => void) | undefined;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(name: string, release: () => void) {
    this.name = name;
    this.#release = release;
  }

  /** Whether it counts as in flight: true until `dispose`. */
  get isHeld(): boolean {
    return this.#release !== undefined;
  }

  /** Ends the item: it is no longer in flight. Synchronous and idempotent. */
  dispose(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

/** Counts the guards of one shutdown, drains them, and names the forgotten ones. */
export class GuardRegistry {
  /** The target that the shutdown drains. */
  readonly target: DrainTarget;
  readonly leaks: LeakReport[] = [];
  readonly #held: Set<HeldGuard> = new Set();
  readonly #tracker: TaskTracker = new TaskTracker({ name: 'guards' });
  readonly #clock: Clock;
  /** Called for each leak. It must not throw. */
  readonly #onLeak: (leak: LeakReport) => void;
  /** `undefined` without leak detection. */
  readonly #registry: FinalizationRegistry<HeldGuard> | undefined;

  constructor(clock: Clock, detectsLeaks: boolean, onLeak: (leak: LeakReport) => void) {
    this.#clock = clock;
    this.#onLeak = onLeak;
    if (detectsLeaks) {
      this.#registry = new FinalizationRegistry((held) => {
        // Nothing can dispose it any more, so waiting for it would never end.
        this.#release(held);
        this.#leaked({ name: held.name, site: held.site });
      });
    }
    this.target = createDrainTarget(this.#tracker, 'guards', { workInProgress: () => this.#heldGuards() });
  }

  /** Records a `LeakError`: other packages report a forgotten guard or scope as an uncaught error. Returns whether it was one. */
  recordLeak(error: unknown): boolean {
    if (this.#registry === undefined || !isNamed(error, 'LeakError')) return false;
    const { message, site } = error as Error & { readonly site: string | undefined };
    this.#leaked({ name: message.split(' was forgotten')[0] as string, site });
    return true;
  }

  #leaked(leak: LeakReport): void {
    this.leaks.push(leak);
    this.#onLeak(leak);
  }

  make(name: string, above: unknown): ShutdownGuard {
    const site = this.#registry === undefined ? undefined : callSite(above);
    const held: HeldGuard = { name, started: this.#clock.now(), site, counted: this.#tracker.guard() };
    this.#held.add(held);
    const guard = new ShutdownGuard(name, () => {
      this.#registry?.unregister(held);
      this.#release(held);
    });
    this.#registry?.register(guard, held, held);
    return guard;
  }

  #release(held: HeldGuard): void {
    this.#held.delete(held);
    held.counted.dispose();
  }

  #heldGuards(): Unfinished[] {
    const now = this.#clock.now();
    return [...this.#held].map(({ name, started, site }) => {
      return { name, ageMs: Math.round(now - started), ...(site !== undefined && { site }) };
    });
  }
}
