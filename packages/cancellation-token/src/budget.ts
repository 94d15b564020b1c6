/** How many completions in a row may go by before one real turn of the event loop. */
const COMPLETIONS = 1024;
/** How long, in ms, loops that compute may keep the event loop from turning. */
const SLICE_MS = 10;
/**
 * Completions that follow each other within so many ms compute nothing, and the clock is not read for so many more: reading it
 * costs as much as a tenth of a `select`.
 */
const QUICK_MS = 0.05;
const SKIPPED_READS = 7;

/** Completions since the last turn that was taken here. */
let completions = 0;
/** When `consumeSlice` was first called since the event loop turned, in ms of the platform's clock; `undefined`: not yet. */
let sliceStart: number | undefined;
/** When the clock was last read, and for how many completions it is not read again. */
let lastRead = 0;
let skippedReads = 0;
/** The turn that is under way; everything that completes meanwhile waits for it, which keeps its order. */
let pendingYield: Promise<void> | undefined;

/** How many turns have been taken. */
let yieldCount = 0;

/** Grows with each completion and each turn: a virtual clock waits until it no longer does. */
export function activity(): number {
  return yieldCount * 2 * COMPLETIONS + completions;
}

/** Whether a turn is under way, behind which something goes on. */
export function isYielding(): boolean {
  return pendingYield !== undefined;
}

/**
 * Counts one completion of something that was ready, and says whether to wait for a turn of the event loop first.
 *
 * A loop over things that are ready runs in microtasks alone and lets neither timers nor signal handlers through.
 * Whoever makes an own waiting loop or source calls this once a completion.
 *
 * **Timing.** Synchronous. After 1,024 completions without a turn it returns a promise for one real turn
 * (`setImmediate`, else a `MessageChannel`, else a timer), the same to all until the turn has come; otherwise `undefined`.
 *
 * @see tokio::task::consume_budget (tokio 1.53), whose budget is 128 a task
 * @example
 * ```ts
 * let turns = 0;
 * for (let n = 0; n < 2_048; n++) {
 *   const turn = consumeBudget();
 *   if (turn === undefined) continue; // nearly always
 *   await turn;
 *   turns++;
 * }
 * console.log(turns >= 1); // => true
 * ```
 */
export function consumeBudget(): Promise<void> | undefined {
  return ++completions < COMPLETIONS ? undefined : yieldOnce();
}

/**
 * The same for a loop that computes between completions: a turn is also taken 10 ms after the first call since the event
 * loop turned. It reads the clock at each call, or at each
 * eighth while they follow each other within 50 µs.
 *
 * @see tokio::task::consume_budget (tokio 1.53)
 * @example
 * ```ts
 * let isFired = false;
 * setTimeout(() => (isFired = true), 1);
 * while (!isFired) {
 *   const busyUntil = performance.now() + 3;
 *   while (performance.now() < busyUntil);
 *   await consumeSlice();
 * }
 * console.log(isFired); // => true
 * ```
 */
export function consumeSlice(): Promise<void> | undefined {
  const yielding = consumeBudget();
  if (yielding !== undefined) return yielding;
  if (skippedReads === 0) return checkSlice();
  skippedReads--;
  return undefined;
}

/** Takes a turn if the time is up. */
export function checkSlice(): Promise<void> | undefined {
  const now = host.performance.now();
  const elapsed = now - lastRead;
  lastRead = now;
  if (sliceStart === undefined) {
    sliceStart = now;
    scheduleMacrotask(endSlice, false);
  } else if (now - sliceStart >= SLICE_MS) return yieldOnce();
  else if (elapsed < QUICK_MS) skippedReads = SKIPPED_READS;
  return undefined;
}

function endSlice(): void {
  sliceStart = undefined;
  skippedReads = 0;
}

function yieldOnce(): Promise<void> {
  // Whatever completes from now on waits for the same turn.
  completions = COMPLETIONS;
  pendingYield ??= new Promise<void>((resolve) => scheduleMacrotask(resolve, true)).then(() => {
    pendingYield = undefined;
    yieldCount++;
    completions = 0;
    endSlice();
  });
  return pendingYield;
}

interface Host {
  performance: { now(): number };
  setTimeout(fn: () => void, ms: number): void;
  setImmediate?(fn: () => void): { unref?(): void };
  MessageChannel?: new () => { port1: Port; port2: Port };
}
interface Port {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
  close(): void;
}

const host = globalThis as unknown as Host;
// Read once, when the module is loaded: a test that fakes timers later must not stop every loop at its 1,024th turn.
const { setImmediate, setTimeout, MessageChannel } = host;

/** @param isHeld whether the process must not end before the turn */
function scheduleMacrotask(resolve: () => void, hasWaiterRef: boolean): void {
  if (setImmediate !== undefined) {
    const immediate = setImmediate(resolve);
    if (!hasWaiterRef) immediate.unref?.();
  } else if (MessageChannel !== undefined) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (): void => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  } else {
    // Jest's jsdom has neither.
    setTimeout(resolve, 0);
  }
}
