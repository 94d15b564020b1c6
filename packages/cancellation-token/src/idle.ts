import { activity, isTurning } from './budget.ts';

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
let ours = 0;

/**
 * Waits until nothing runs that needs no time to pass: promises to their ends, ready values, turns of the event loop that
 * loops take, and other callbacks of `setImmediate`.
 */
export async function idle(): Promise<void> {
  for (let quiet = 0; quiet < QUIET; quiet++) {
    const before = activity();
    ours++;
    await new Promise<void>((resolve) => (setImmediate === undefined ? setTimeout(resolve, 0) : setImmediate(resolve)));
    ours--;
    if (activity() !== before || isTurning() || hasImmediates()) quiet = -1;
  }
}

/** Whether somebody else's `setImmediate` has yet to run, where the platform says so. */
function hasImmediates(): boolean {
  const resources = process?.getActiveResourcesInfo?.() ?? [];
  return resources.filter((type) => type === 'Immediate').length > ours;
}
