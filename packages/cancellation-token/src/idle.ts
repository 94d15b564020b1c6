import { activity, isYielding, scheduleMacrotask } from './budget.ts';

/** Limits for endless work: 10,000 yields of ready values, or 1,000 macrotasks with nothing but `setImmediate`. */
const PATIENCE = 10_000;
const IMMEDIATE = 10;
/** How many macrotasks in a row must pass in which nothing ran: some kinds of work cannot be seen. */
const QUIET = 3;

const { process } = globalThis as { process?: { getActiveResourcesInfo?(): string[] } };

/** The number of waits below that are between two macrotasks. */
let ownMacrotasks = 0;

/**
 * Waits until all work that needs no time has finished: promise chains, ready values, yields of loops, and other callbacks of
 * `setImmediate`. For endless work, such as a heartbeat, the wait is limited.
 */
export async function idle(): Promise<void> {
  let patience = PATIENCE;
  for (let quiet = 0; quiet < QUIET && patience > 0; quiet++) {
    const before = activity();
    ownMacrotasks++;
    await new Promise<void>((resolve) => scheduleMacrotask(resolve, true));
    ownMacrotasks--;
    const isBusy = activity() !== before || isYielding();
    if (!isBusy && !hasImmediates()) continue;
    quiet = -1;
    patience -= isBusy ? 1 : IMMEDIATE;
  }
}

/** Whether a `setImmediate` callback of other code has yet to run, where the platform shows it. */
function hasImmediates(): boolean {
  try {
    const resources = process?.getActiveResourcesInfo?.() ?? [];
    return resources.filter((type) => type === 'Immediate').length > ownMacrotasks;
  } catch {
    // workerd has the method, which throws.
    return false;
  }
}
