import type { Clock } from '@quiesce/cancellation-token';
import { isThenable } from '@quiesce/internal';
import { givenUp, reportLate } from './failures.ts';
import { type Cleanup, quoted } from './options.ts';

/** A cleanup that has not run yet. */
export interface DeferredCleanup {
  readonly run: Cleanup;
  readonly name: string;
}

/** A cleanup that runs now. */
export interface CurrentCleanup {
  readonly name: string;
  readonly started: number;
}

/** The parts of a scope that its cleanups read and write. */
interface CleanupOwner {
  readonly clock: Clock;
  /** In milliseconds, or `undefined` for no limit. */
  readonly cleanupTimeout: number | undefined;
  activeCalls: number;
  currentCleanup: CurrentCleanup | undefined;
  now(): number;
  addFailure(error: unknown): void;
  addUnfinished(name: string, started: number): void;
}

/** Runs one cleanup. Never rejects: an error becomes a failure of the scope. */
export async function runCleanup(owner: CleanupOwner, { run, name }: DeferredCleanup): Promise<void> {
  try {
    owner.currentCleanup = { name, started: owner.now() };
    owner.activeCalls++;
    let result: unknown;
    try {
      result = run();
    } finally {
      owner.activeCalls--;
    }
    if (isThenable(result))
      await (owner.cleanupTimeout === undefined ? result : withCleanupTimeout(owner, result, name));
  } catch (error) {
    owner.addFailure(error);
  }
  owner.currentCleanup = undefined;
}

/** Waits for a cleanup or for its timeout, whichever comes first. */
function withCleanupTimeout(owner: CleanupOwner, result: PromiseLike<unknown>, name: string): Promise<void> {
  const started = owner.now();
  return new Promise((resolve, reject) => {
    let isLate = false;
    const onTimeout = (): void => {
      isLate = true;
      owner.addUnfinished(name, started);
      resolve();
    };
    const timer = owner.clock.setTimer(owner.cleanupTimeout as number, onTimeout, { ref: true });
    const onValue = (): void => {
      owner.clock.clearTimer(timer);
      resolve();
    };
    // Not Promise.resolve: if that threw, the timer would stay.
    new Promise((resolve) => resolve(result)).then(onValue, (error) => {
      if (isLate) return reportLate(`Cleanup${quoted(name)}`, givenUp, error);
      owner.clock.clearTimer(timer);
      reject(error);
    });
  });
}
