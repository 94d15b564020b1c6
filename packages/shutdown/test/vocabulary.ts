import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { Drainable } from '@quiesce/scope';
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
