/** How many completions in a row are allowed before the next one yields to the event loop. */
const COMPLETIONS = 1024;
/** How long, in ms, a computing loop may block the event loop. */
const SLICE_MS = 10;
/**
 * Completions within this time, in ms, compute nothing, so the clock is not read for the next few of them: reading it costs as
 * much as a tenth of a `select`.
 */
const QUICK_MS = 0.05;
const SKIPPED_READS = 7;

/** Completions since the last yield. */
let completions = 0;
/** When `consumeSlice` was first called since the event loop last ran, in ms of the platform's clock; `undefined`: not yet. */
let sliceStart: number | undefined;
/** When the clock was last read, and for how many completions it is not read again. */
let lastRead = 0;
let skippedReads = 0;
/** The yield in progress. Everything that completes during it waits for it, which preserves the order. */
let pendingYield: Promise<void> | undefined;

/** The number of finished yields. */
let yieldCount = 0;

/** Increases with each completion and each yield: a virtual clock waits until it no longer changes. */
export function activity(): number {
  return yieldCount * 2 * COMPLETIONS + completions;
}

/** Whether a yield is in progress, after which work continues. */
export function isYielding(): boolean {
  return pendingYield !== undefined;
}

/**
 * Counts one completion of a ready operation, and returns a promise when the loop must yield first.
 *
 * A loop over ready operations runs in microtasks only, and blocks timers and signal handlers. Call this once for each
 * completion in a waiting loop or source of your own.
 *
 * **Timing.** Synchronous. It nearly always returns `undefined`. After 1,024 completions without a yield it returns a promise
 * for one macrotask (`setImmediate`, else a `MessageChannel`, else a timer). All callers get the same promise until it fulfils.
 *
 * @returns `undefined`, or a promise to await before the operation completes
 * @see tokio::task::consume_budget (tokio 1.53), whose budget is 128 a task
 * @example
 * ```ts
 * let yields = 0;
 * for (let n = 0; n < 2_048; n++) {
 *   const yielding = consumeBudget();
 *   if (yielding === undefined) continue; // nearly always
 *   await yielding;
 *   yields++;
 * }
 * console.log(yields >= 1); // => true
 * ```
 */
export function consumeBudget(): Promise<void> | undefined {
  return ++completions < COMPLETIONS ? undefined : yieldOnce();
}

/**
 * Counts a completion as `consumeBudget` does, in a loop that also computes between completions.
 *
 * **Timing.** Synchronous. It also returns a promise 10 ms after its first call since the event loop last ran. It reads the
 * clock at each call, or at each eighth call while they follow each other within 50 µs.
 *
 * @returns `undefined`, or a promise to await before the operation completes
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

/** Yields if the time slice has been used up. */
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
  // From now on everything that completes waits for the same yield.
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
// Read once, at loading: a test that fakes timers later must not block every loop at its 1,024th completion.
const { setImmediate, setTimeout, MessageChannel } = host;

/** @param keepsAlive whether the process must not end before the macrotask */
export function scheduleMacrotask(resolve: () => void, keepsAlive: boolean): void {
  if (setImmediate !== undefined) {
    const immediate = setImmediate(resolve);
    if (!keepsAlive) immediate.unref?.();
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

/** Settles a promise that was made before. When the budget is spent, it settles after the event loop has run. */
export function settleWithBudget(resolve: (result: never) => void, result: unknown): void {
  const yielded = consumeBudget();
  if (yielded === undefined) resolve(result as never);
  else settleAfter(yielded, resolve, result);
}

/** A function of its own, or each delivery would pay for the closure's context. */
function settleAfter(yielded: Promise<void>, resolve: (result: never) => void, result: unknown): void {
  void yielded.then(() => resolve(result as never));
}
