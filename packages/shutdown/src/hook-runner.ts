import { CancellationToken, isCancellationOf, TimeoutError, wait } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import { type Hook, type HookOutcome, Hooks } from './hooks.ts';
import { raceDeadline } from './race-deadline.ts';
import type { ShutdownRequest } from './request.ts';
import type { SequenceState } from './sequence-state.ts';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Runs the hooks of one shutdown, one at a time and within their limits. Numbers of invariants are those of
 * `shutdown-sequence.ts`.
 */
export class HookRunner {
  readonly hooks: Hooks = new Hooks();
  /** Counts the loop over the hooks. Closed, so that `wait` settles each time it is empty. */
  readonly tracker: TaskTracker = new TaskTracker({ name: 'hooks' });
  readonly #state: SequenceState;
  /** Whether a loop over the hooks of this phase is running (invariant 5). */
  #isPumping = false;
  /** The hook that is running, or `undefined`. */
  #current: Hook | undefined = undefined;
  /** The token of the running hook, which a force cancels. `undefined` in the phase `final`, which is not forced. */
  #currentToken: CancellationToken | undefined = undefined;

  constructor(state: SequenceState) {
    this.#state = state;
    this.tracker.close();
  }

  get current(): Hook | undefined {
    return this.#current;
  }

  /** The token of the running hook, or `undefined` when no hook runs that a force could cancel. */
  get currentToken(): CancellationToken | undefined {
    return this.#currentToken;
  }

  add(hook: Hook): void {
    this.hooks.add(hook);
    if (hook.at === this.#state.position) this.pump();
  }

  /** Whether hooks of this phase are running or can run. */
  get isBusy(): boolean {
    return !this.tracker.isEmpty || this.hooks.next(this.#state.position) !== undefined;
  }

  /**
   * Runs all hooks of this phase, including those that are registered until it ends. Calls `next` in the same synchronous run
   * (invariant 3).
   */
  async runAll(next: () => void): Promise<void> {
    do {
      this.pump();
      while (!this.tracker.isEmpty) await wait(this.tracker.wait());
    } while (this.isBusy);
    next();
  }

  /** Starts the loop over the hooks, unless it is running. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    void this.tracker.track(this.#pumpAll());
  }

  async #pumpAll(): Promise<void> {
    // Invariant 4.
    await undefined;
    const state = this.#state;
    // The position is read anew for each hook: one that a callback registers at the end of a phase runs at the start of the next.
    for (let hook = this.hooks.next(state.position); hook !== undefined; hook = this.hooks.next(state.position)) {
      await this.#run(hook);
    }
    this.#isPumping = false;
  }

  /** Returns the most time that a hook may take, in ms. */
  #timeFor(hook: Hook): number {
    const { clock, force, end, forceEnd, drainEnd, finalEnd } = this.#state;
    const now = clock.now();
    if (hook.phase === 'final') return finalEnd - now;
    const most = force === undefined ? end : forceEnd;
    return (hook.phase === 'draining' ? Math.min(most, drainEnd) : most) - now;
  }

  async #run(hook: Hook): Promise<void> {
    const state = this.#state;
    const { clock } = state;
    const isFinal = hook.phase === 'final';
    const own = hook.timeout ?? (hook.phase === 'draining' ? NEVER : state.limits.hookTimeout);
    const most = this.#timeFor(hook);
    if (most <= 0 && !isFinal) return this.#end(hook, 'skipped', undefined);
    const limit = Math.max(0, Math.min(own, most));
    const { name, phase } = hook;
    const below = phase === 'draining' ? state.stopNow.childToken({ name }) : new CancellationToken({ name });
    const token = limit < NEVER ? below.withTimeout(limit, { name, clock }) : below;
    hook.state = 'running';
    hook.started = clock.now();
    this.#current = hook;
    this.#currentToken = isFinal ? undefined : token;
    const before = state.force;
    state.emit({ type: 'hook:start', hook: name, phase, limitMs: limit });
    let isGivenUp = false;
    let end: { readonly isError: boolean; readonly error: unknown } | undefined;
    const run = async (): Promise<unknown> => hook.run(token, state.request as ShutdownRequest);
    const work = run().then(
      () => {
        end = { isError: false, error: undefined };
      },
      (error) => {
        end = { isError: true, error };
        if (!isGivenUp || isCancellationOf(error, token)) return;
        state.recordFailure(`hook ${JSON.stringify(name)}, after it was given up`, error);
      },
    );
    // A hook that has forced the shutdown while it was called is given up like any other, unless it has already ended.
    const hasForced = state.force !== before && !isFinal;
    const forced = state.force === undefined && !isFinal ? state.forced : undefined;
    const waited = await raceDeadline(work, hasForced ? 0 : limit, forced, clock);
    isGivenUp = end === undefined;
    this.#current = undefined;
    this.#currentToken = undefined;
    if (end === undefined) this.#end(hook, waited === 'forced' || hasForced ? 'cut off' : 'timed out', undefined);
    else if (!end.isError) this.#end(hook, 'done', undefined);
    else if (!isCancellationOf(end.error, token)) this.#end(hook, 'failed', end.error);
    else this.#end(hook, token.reason instanceof TimeoutError ? 'timed out' : 'cut off', undefined);
    // Without a listener the deadline of the token has no timer, and would not show why the hook was given up.
    if (isGivenUp) token.cancel(new TimeoutError(limit));
    token.dispose();
    below.dispose();
  }

  #end(hook: Hook, outcome: HookOutcome, error: unknown): void {
    const { name, phase } = hook;
    const { clock, emit } = this.#state;
    hook.durationMs = hook.state === 'running' ? clock.now() - hook.started : 0;
    hook.state = 'ended';
    hook.outcome = outcome;
    hook.error = error;
    emit({ type: 'hook:end', hook: name, phase, outcome, durationMs: hook.durationMs, error });
  }
}
