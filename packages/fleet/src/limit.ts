import type { Clock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';

/**
 * Calls the engine with a time limit. A later answer changes nothing.
 *
 * @param onLate receives an answer after the limit, so that a late connection can be closed
 * @throws (rejects) the error of the engine, or EngineUnavailableError after `ms`
 */
export function withLimit<T>(
  clock: Clock,
  ms: number,
  call: string,
  ask: () => Promise<T>,
  onLate?: (answer: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isOver = false;
    const onLimit = (): void => {
      isOver = true;
      reject(new EngineUnavailableError(`The engine did not answer ${call} within ${ms} ms`));
    };
    const timer = clock.setTimer(ms, onLimit, { ref: false });
    const settled = (): void => clock.clearTimer(timer);
    const answered = (answer: T): void => {
      if (isOver) onLate?.(answer);
      else resolve(answer);
    };
    // An engine that a user has written may throw.
    void new Promise<T>((answer) => answer(ask())).then(answered, reject).then(settled);
  });
}
