import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Drainable, drainable, TaskTracker } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { Shutdown, type ShutdownOptions, type ShutdownReport } from '@quiesce/shutdown';

/** Returns a shutdown on a virtual clock, and a log of events with their times. */
export function start(options: ShutdownOptions = {}) {
  const clock = new VirtualClock(1_000_000);
  const log: string[] = [];
  const shutdown = new Shutdown({ clock, progressInterval: Number.POSITIVE_INFINITY, ...options });
  return {
    clock,
    shutdown,
    log,
    say: (what: string): void => void log.push(`${clock.now()} ${what}`),
    /** Returns work that takes `ms` and ignores its token. */
    busy: (what: string, ms: number) => async (): Promise<void> => {
      log.push(`${clock.now()} ${what} begins`);
      await sleep(ms, { clock });
      log.push(`${clock.now()} ${what} ends`);
    },
    /** Runs the shutdown to its end. */
    end: (): Promise<ShutdownReport> => clock.run(() => shutdown.stopped()),
  };
}

/** Work that never ends and ignores its token. */
export const deaf = (): Promise<never> => new Promise(() => {});

/** Work that ends when its token is cancelled. */
export async function obedient(token: CancellationToken): Promise<never> {
  await select({ token });
  throw token.reason;
}

/** Returns a drainable that is done when `finish` is called, and that does not obey `abort`. */
export function job(name: string, inFlightCount = 1) {
  const seen: string[] = [];
  let finish: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const drainable: Drainable = {
    name,
    get inFlightCount() {
      return inFlightCount;
    },
    stop: () => void seen.push('stop'),
    abort: () => void seen.push('abort'),
    drain: async (signal) => {
      seen.push('drain');
      const { branch } = await select.biased({ done, signal });
      seen.push(branch);
      if (branch === 'signal') CancellationToken.from(signal).throwIfCancelled();
    },
  };
  return {
    drainable,
    seen,
    finish: (): void => {
      inFlightCount = 0;
      finish();
    },
  };
}

/** Returns a pool of jobs, as in another library. At the deadline of `drain` it waits `cleanupTimeout` ms for cancelled jobs. */
export function pool(cleanupTimeout: number, clock: VirtualClock) {
  const jobs = new TaskTracker({ name: 'pool' });
  const cut = new CancellationToken();
  const abort = (reason: unknown): void => void cut.cancel(reason);
  const drain = async (token: CancellationToken): Promise<void> => {
    const deadline = token.onCancelled(abort);
    try {
      await jobs.drain(token);
    } catch (reason) {
      await select.biased({ ended: jobs.wait(), late: sleep(cleanupTimeout, { clock }) });
      throw reason;
    } finally {
      deadline.dispose();
    }
  };
  const part = { name: 'pool', inFlightCount: () => jobs.length, stop: () => jobs.close(), drain, abort };
  return { drainable: drainable(part), cut, jobs };
}

/** Waits for one real turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Returns the error that `work` throws. */
export function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
