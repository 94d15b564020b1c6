/** A timer may always fire this many milliseconds early, even if it was set for a short time. */
const TOLERANCE_MS = 2;

/**
 * Returns how much of a time is left when its timer fires, in milliseconds; 0 or less: nothing.
 *
 * Timers fire early where a platform cuts fractions off, or measures with another clock. Such a timer is set again. A timer
 * that is early although hardly any time has passed, or none since it was set again, is driven by hand, as fake timers are. It
 * counts as on time, since setting it again would never end.
 *
 * @param firstSet when the timer was first set
 * @param lastSet when it was last set
 * @param time when it should fire, on the same scale
 * @param now the current time
 */
export function remainingTime(firstSet: number, lastSet: number, time: number, now: number): number {
  const left = time - now;
  return now > lastSet && (left <= TOLERANCE_MS || left <= now - firstSet) ? left : 0;
}

/** The members of the public `Clock` that are used here. */
interface AnyClock<T> {
  now(): number;
  setTimer(ms: number, fn: () => void, options: { readonly ref: boolean }): T;
  clearTimer(timer: T): void;
}

/**
 * Sets a timer of any clock, which keeps the process alive, and sets it again while it fires early.
 *
 * @returns a function that clears it
 */
export function setTimer<T>(clock: AnyClock<T>, ms: number, fn: () => void): () => void {
  const firstSet = clock.now();
  let lastSet = firstSet;
  const fire = (): void => {
    const now = clock.now();
    const left = remainingTime(firstSet, lastSet, firstSet + ms, now);
    lastSet = now;
    if (left > 0) setAgain(left);
    else fn();
  };
  let timer: T;
  const setAgain = (left: number): void => {
    timer = clock.setTimer(left, fire, { ref: true });
  };
  setAgain(ms);
  return () => clock.clearTimer(timer);
}
