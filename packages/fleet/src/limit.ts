import { type Clock, systemClock, type Timer } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
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
  request: () => Promise<T>,
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
    void new Promise<T>((answer) => answer(request())).then(answered, reject).then(settled);
  });
}

/** Returns whether a promise fulfils within `ms` of real time. */
export function inTime(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    // One more round of the event loop reads the data that arrived while this process was stopped.
    const onLimit = (): Timer => systemClock.setTimer(0, () => resolve(false), { ref: false });
    const timer = systemClock.setTimer(ms, onLimit, { ref: false });
    const settle = (isInTime: boolean) => (): void => {
      systemClock.clearTimer(timer);
      resolve(isInTime);
    };
    promise.then(settle(true), settle(false));
  });
}

/** A pause that another call can end; one at a time. It keeps no process alive. */
export class Pause {
  /** Ends the pause; does nothing when there is none. */
  end: () => void = ignore;

  wait(clock: Clock, ms: number): Promise<void> {
    return new Promise((resolve) => {
      // A clock may call `end` inside `setTimer`.
      const timer = clock.setTimer(ms, resolve, { ref: false });
      this.end = () => {
        clock.clearTimer(timer);
        resolve();
      };
    });
  }
}
