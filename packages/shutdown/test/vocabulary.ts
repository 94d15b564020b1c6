import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { Shutdown, type ShutdownOptions, type ShutdownReport } from '@quiesce/shutdown';

/** A shutdown on a virtual clock, and a log of what happened when. */
export function start(options: ShutdownOptions = {}) {
  const clock = new VirtualClock(1_000_000);
  const log: string[] = [];
  const shutdown = new Shutdown({ clock, progressInterval: Number.POSITIVE_INFINITY, ...options });
  return {
    clock,
    shutdown,
    log,
    say: (what: string): void => void log.push(`${clock.now()} ${what}`),
    /** Work that takes `ms`, whatever its token says. */
    busy: (what: string, ms: number) => async (): Promise<void> => {
      log.push(`${clock.now()} ${what} begins`);
      await sleep(ms, { clock });
      log.push(`${clock.now()} ${what} ends`);
    },
    /** Runs it to its end. */
    end: (): Promise<ShutdownReport> => clock.run(() => shutdown.stopped()),
  };
}

/** Work that never ends, whatever its token says. */
export const deaf = (): Promise<never> => new Promise(() => {});

/** Work that ends when it is told to. */
export async function obedient(token: CancellationToken): Promise<never> {
  await select({ token });
  throw token.reason;
}

/** Something to drain that is done when `finish` is called. */
export function job(name: string, inFlight = 1) {
  const seen: string[] = [];
  let finish: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const drainable: Drainable = {
    name,
    get inFlight() {
      return inFlight;
    },
    stop: () => void seen.push('stop'),
    drain: async (token) => {
      seen.push('drain');
      const { branch } = await select.biased({ done, token });
      seen.push(branch);
      if (branch === 'token') CancellationToken.from(token).throwIfCancelled();
    },
  };
  return {
    drainable,
    seen,
    finish: (): void => {
      inFlight = 0;
      finish();
    },
  };
}

/** A pool of jobs, as somebody else would write it: at its deadline it cancels them, and waits for them so many ms. */
export function pool(cancelTimeout: number, clock: VirtualClock) {
  const jobs = new TaskTracker({ name: 'pool' });
  const cut = new CancellationToken();
  const drain = async (token: CancellationToken | AbortSignal): Promise<void> => {
    const deadline = CancellationToken.from(token).onCancelled(() => cut.cancel());
    try {
      await jobs.drain(token);
    } catch (reason) {
      await select.biased({ ended: jobs.wait(), late: sleep(cancelTimeout, { clock }) });
      throw reason;
    } finally {
      deadline.unregister();
    }
  };
  const drainable: Drainable = {
    name: 'pool',
    get inFlight() {
      return jobs.length;
    },
    stop: () => jobs.close(),
    drain,
  };
  return { drainable, cut, jobs };
}

/** One real turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The name, code and whatever else is of interest in what `work` throws. */
export function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
