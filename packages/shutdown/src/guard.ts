import type { Clock } from '@quiesce/cancellation-token';
import { callSite, defineHandle, isNamed } from '@quiesce/internal';
import { TaskTracker } from '@quiesce/scope';
import type { Unfinished } from '@quiesce/select';
import { type Part, partOf } from './parts.ts';
import type { LeakReport } from './report.ts';

/** What is known of a guard that is held; it must not refer to the guard. */
interface Held {
  readonly name: string;
  readonly started: number;
  /** Where it was made; `undefined`: nobody asked. */
  readonly site: string | undefined;
  /** What counts it. */
  readonly counted: { dispose(): void };
}

/**
 * One thing in flight, until it is disposed: what `shutdown.guard(name)` gives.
 *
 * @see tokio_util::task::task_tracker::TaskTrackerToken (tokio-util 0.7.19)
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const guard = shutdown.guard('upload');
 * shutdown.request('deploy');
 * console.log(guard.isHeld, shutdown.progress.inFlight); // => true 1
 * guard.dispose(); // what the shutdown was waiting for
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
  /** The name given. */
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

  /** Whether it still counts. */
  get isHeld(): boolean {
    return this.#release !== undefined;
  }

  /** It is in flight no longer. Synchronous, idempotent. */
  dispose(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

/** The guards of one shutdown: counted, drained, and named when they are forgotten. */
export class Guards {
  /** What the shutdown waits for. */
  readonly part: Part;
  readonly leaks: LeakReport[] = [];
  readonly #held: Set<Held> = new Set();
  readonly #tracker: TaskTracker = new TaskTracker({ name: 'guards' });
  readonly #clock: Clock;
  /** Told of each; it must not throw. */
  readonly #onLeak: (leak: LeakReport) => void;
  /** `undefined`: leaks are not looked for. */
  readonly #registry: FinalizationRegistry<Held> | undefined;

  constructor(clock: Clock, detectsLeaks: boolean, onLeak: (leak: LeakReport) => void) {
    this.#clock = clock;
    this.#onLeak = onLeak;
    if (detectsLeaks) {
      this.#registry = new FinalizationRegistry((held) => {
        // It can be disposed by nobody any more: waiting for it would be waiting for ever.
        this.#release(held);
        this.#leaked({ name: held.name, site: held.site });
      });
    }
    this.part = partOf(this.#tracker, 'guards', { underWay: () => this.#underWay() });
  }

  /** A forgotten guard or scope of other packages of ours, which report it as an error that nobody catches. */
  takeLeak(error: unknown): boolean {
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
    const held: Held = { name, started: this.#clock.now(), site, counted: this.#tracker.guard() };
    this.#held.add(held);
    const guard = new ShutdownGuard(name, () => {
      this.#registry?.unregister(held);
      this.#release(held);
    });
    this.#registry?.register(guard, held, held);
    return guard;
  }

  #release(held: Held): void {
    this.#held.delete(held);
    held.counted.dispose();
  }

  #underWay(): Unfinished[] {
    const now = this.#clock.now();
    return [...this.#held].map(({ name, started, site }) => {
      return { name, ageMs: Math.round(now - started), ...(site !== undefined && { site }) };
    });
  }
}
