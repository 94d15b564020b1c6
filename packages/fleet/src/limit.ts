import type { Clock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';

/**
 * Calls the engine with a time limit. An answer that comes later changes nothing.
 *
 * @throws (rejects) the error of the engine, or EngineUnavailableError after `ms`
 */
export function withLimit<T>(clock: Clock, ms: number, call: string, ask: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimer(
      ms,
      () => reject(new EngineUnavailableError(`The engine did not answer ${call} within ${ms} ms`)),
      { ref: false },
    );
    const settled = (): void => clock.clearTimer(timer);
    // An engine of a user may throw.
    void new Promise<T>((answer) => answer(ask())).then(resolve, reject).then(settled);
  });
}
