import { systemClock, type Timer } from '@quiesce/cancellation-token';

/** Returns whether a promise fulfils within `ms`. */
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
