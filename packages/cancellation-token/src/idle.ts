import { activity, isYielding } from './budget.ts';

/** What endless work may take: 10,000 turns of ready values, or 1,000 macrotasks of nothing but `setImmediate`. */
const PATIENCE = 10_000;
const IMMEDIATE = 10;
/** How many macrotasks in a row must go by without anything having run: some kinds of work cannot be seen. */
const QUIET = 3;

interface Host {
  setImmediate?(fn: () => void): void;
  setTimeout(fn: () => void, ms: number): void;
  process?: { getActiveResourcesInfo?(): string[] };
}

/** Read when the module is loaded: a test may replace them by fakes, which only it moves on. */
const { setImmediate, setTimeout, process } = globalThis as unknown as Host;

/** How many waits below are between two macrotasks. */
let ownMacrotasks = 0;

/**
 * Waits until nothing runs that needs no time to pass: promises to their ends, ready values, turns of the event loop that
 * loops take, and other callbacks of `setImmediate`. Work that never ends, such as a heartbeat, is waited for in vain for
 * some time only.
 */
export async function idle(): Promise<void> {
  let patience = PATIENCE;
  for (let quiet = 0; quiet < QUIET && patience > 0; quiet++) {
    const before = activity();
    ownMacrotasks++;
    await new Promise<void>((resolve) => (setImmediate === undefined ? setTimeout(resolve, 0) : setImmediate(resolve)));
    ownMacrotasks--;
    const isBusy = activity() !== before || isYielding();
    if (!isBusy && !hasImmediates()) continue;
    quiet = -1;
    patience -= isBusy ? 1 : IMMEDIATE;
  }
}

/** Whether somebody else's `setImmediate` has yet to run, where the platform says so. */
function hasImmediates(): boolean {
  try {
    const resources = process?.getActiveResourcesInfo?.() ?? [];
    return resources.filter((type) => type === 'Immediate').length > ownMacrotasks;
  } catch {
    // workerd has the method, which throws.
    return false;
  }
}
