import type { Reporter } from './events.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';

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

  /** Warns when `main` is the only thing left after a second, long before it is cut off. */
  #watch(): void {
    const check = (): void => {
      const { state, program, targets, currentHook } = this.#sequence;
      const main = program?.target;
      if (state.current !== 'draining' || main?.state === 'drained') return;
      const others = [...targets].filter((target) => target !== main && target.state !== 'drained');
      if (others.length === 0 && currentHook === undefined) this.#warnOnce();
      else this.#watch();
    };
    this.#sequence.state.clock.setTimer(1_000, check, { ref: false });
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
