/** So many milliseconds are early by any clock, however short the time was. */
const FEW = 2;

/**
 * How much of a time is left when its timer fires, in milliseconds; 0 or less: nothing.
 *
 * Timers fire early where a platform cuts fractions off, or measures with another clock. Such a timer is set again.
 * A timer that is early although hardly any time has passed, or none since it was set again, is driven by hand, as fake timers
 * are. It counts as it is, since setting it again would never end.
 *
 * @param set when the timer was set first
 * @param armed when it was set last
 * @param due when it should fire, on the same scale
 * @param now the time as it is
 */
export function remainingTime(set: number, armed: number, due: number, now: number): number {
  const left = due - now;
  return now > armed && (left <= FEW || left <= now - set) ? left : 0;
}

/** What is needed of a clock; the public `Clock`. */
interface AnyClock<T> {
  now(): number;
  setTimer(ms: number, fn: () => void, options: { readonly ref: boolean }): T;
  clearTimer(timer: T): void;
}

/**
 * Sets a timer of whichever clock, which holds the process, and sets it again while it fires early.
 *
 * @returns takes it back
 */
export function setTimer<T>(clock: AnyClock<T>, ms: number, fn: () => void): () => void {
  const set = clock.now();
  let armed = set;
  const fire = (): void => {
    const now = clock.now();
    const left = remainingTime(set, armed, set + ms, now);
    armed = now;
    if (left > 0) rearm(left);
    else fn();
  };
  let timer: T;
  const rearm = (left: number): void => {
    timer = clock.setTimer(left, fire, { ref: true });
  };
  rearm(ms);
  return () => clock.clearTimer(timer);
}
