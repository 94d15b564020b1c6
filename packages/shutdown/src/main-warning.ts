import type { Reporter } from './events.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';

/** How long `main` is the only thing left before the warning, in ms. */
const ALONE_MS = 1_000;

/** Warns when the `main` of `runMain` may wait for `shutdown.stopped()`, which waits for `main`. Warns at most once. */
export class MainWarning {
  /** Set when the user calls `stopped()`. Cleared by the warning. */
  isEndAwaited = false;
  readonly #sequence: ShutdownSequence;
  readonly #warn: (text: string) => void;

  constructor(sequence: ShutdownSequence, warn: (text: string) => void) {
    this.#sequence = sequence;
    this.#warn = warn;
  }

  readonly reporter: Reporter = (event) => {
    const main = this.#sequence.program?.target;
    if (event.type === 'state' && this.#sequence.state.current === 'draining' && main !== undefined) this.#watch();
    if (event.type === 'cut off' && event.name === main?.name) this.#warnOnce();
  };

  /** Warns when `main` has been the only thing left for a second, long before it is cut off. */
  #watch(ms = ALONE_MS): void {
    const check = (): void => {
      const { state, program, targets, currentHook } = this.#sequence;
      const main = program?.target;
      if (state.current !== 'draining' || main?.state === 'drained') return;
      const others = [...targets].filter((target) => target !== main);
      const isAlone = currentHook === undefined && others.every((target) => target.state === 'drained');
      const since = Math.max(...others.map(({ started, durationMs }) => started + durationMs));
      // The cleanups of `main` begin when the last of the others has drained.
      const left = isAlone ? since + ALONE_MS - state.clock.now() : ALONE_MS;
      if (left <= 0) this.#warnOnce();
      else this.#watch(left);
    };
    this.#sequence.state.clock.setTimer(ms, check, { ref: false });
  }

  #warnOnce(): void {
    if (!this.isEndAwaited) return;
    this.isEndAwaited = false;
    this.#warn(
      'main may be waiting for shutdown.stopped(), which waits for main and its tasks: ' +
        'await shutdown.stopAccepting.cancelled() there',
    );
  }
}
