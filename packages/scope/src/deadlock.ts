import { consumeSlice, reportUncaught } from '@quiesce/cancellation-token';
import type { Life } from './life.ts';

/** What we need of the process of Node, Bun or Deno; browsers have none. */
interface Process {
  on?(event: 'beforeExit', listener: () => void): unknown;
}

/** The scopes whose `join` or `close` has not settled, and which of the two was called. */
const waiting: Map<Life, string> = new Map();
/** Whether the process has our listener, which stays. */
let isListening = false;

/**
 * Waits for the end of a scope, and reports it when the process ends without, because nothing is left to run. After an `await` it is not
 * known which code calls `join`. But when the event loop is empty, no task of the scope can ever end.
 */
export async function endOf(life: Life, call: string): Promise<void> {
  const { process } = globalThis as { process?: Process };
  if (!isListening) process?.on?.('beforeExit', reportDeadlocks);
  isListening = true;
  waiting.set(life, call);
  life.left(undefined, false);
  await life.over;
  waiting.delete(life);
  const turn = consumeSlice();
  if (turn !== undefined) await turn;
}

function reportDeadlocks(): void {
  for (const [life, call] of waiting) {
    const text =
      `${call}: ${life.label()} can never end, since nothing is left to run. It waits for ${life.waitsFor()}. A task or ` +
      'cleanup that awaits join() or close() of its own scope waits for itself: await that outside of the scope';
    reportUncaught(new Error(text), { isFatal: false });
  }
  waiting.clear();
}
