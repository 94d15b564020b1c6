/** How many completions in a row may go by before one real turn of the event loop. */
const COMPLETIONS = 1024;
/** How long, in ms, a computing loop may keep the event loop from turning. */
const SLICE = 10;

/** Completions since the last turn that was taken here. */
let spent = 0;
/** When the last turn that was taken here came, in ms of the platform's clock. */
let lastTurn = 0;
/** The turn that is under way; everything that completes meanwhile waits for it, which keeps its order. */
let turn: Promise<void> | undefined;

/**
 * Counts one completion of something that was ready, and says whether to wait for a turn of the event loop first.
 *
 * A loop over things that are ready runs in microtasks alone and lets neither timers nor signal handlers through.
 * Whoever makes an own waiting loop or source calls this once a completion.
 *
 * **Timing.** Synchronous. After 1,024 completions without a turn it returns a promise for one real turn
 * (`setImmediate`, else a `MessageChannel`), the same to all until the turn has come; otherwise `undefined`.
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
  return ++spent < COMPLETIONS ? undefined : takeTurn();
}

/** The same for a loop that computes between completions: it is time for a turn also when the last was long ago. */
export function consumeSlice(): Promise<void> | undefined {
  return consumeBudget() ?? (host.performance.now() - lastTurn < SLICE ? undefined : takeTurn());
}

function takeTurn(): Promise<void> {
  turn ??= new Promise<void>(nextTurn).then(() => {
    turn = undefined;
    spent = 0;
    lastTurn = host.performance.now();
  });
  return turn;
}

interface Host {
  performance: { now(): number };
  setImmediate?(fn: () => void): unknown;
  MessageChannel: new () => { port1: Port; port2: Port };
}
interface Port {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
  close(): void;
}

const host = globalThis as unknown as Host;
// Read once, when the module is loaded: a test that fakes timers later must not stop every loop at its 1,024th turn.
const { setImmediate, MessageChannel } = host;

function nextTurn(resolve: () => void): void {
  if (setImmediate !== undefined) {
    setImmediate(resolve);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (): void => {
    port1.close();
    resolve();
  };
  port2.postMessage(null);
}
