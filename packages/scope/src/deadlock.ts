import { consumeSlice, reportUncaught } from '@quiesce/cancellation-token';
import type { ScopeState } from './scope-state.ts';

/** The part of `process` that is used here. Node, Bun and Deno have one; browsers do not. */
interface Process {
  on?(event: 'beforeExit', listener: () => void): unknown;
}

/** The scopes whose `join` or `close` is pending, with the name of that call. */
const pendingCalls: Map<ScopeState, string> = new Map();
/** Whether the process has the listener, which is never removed. */
let isListening = false;

/**
 * Waits for the end of a scope. Reports a deadlock when the process ends first because nothing is left to run.
 *
 * After an `await`, nothing shows which code calls `join`. But when the event loop is empty, no task of the scope can end.
 */
export async function waitForEnd(scope: ScopeState, call: string): Promise<void> {
  const { process } = globalThis as { process?: Process };
  if (!isListening) process?.on?.('beforeExit', reportDeadlocks);
  isListening = true;
  pendingCalls.set(scope, call);
  scope.bodySettled(undefined, false);
  await scope.closed;
  pendingCalls.delete(scope);
  const pause = consumeSlice();
  if (pause !== undefined) await pause;
}

function reportDeadlocks(): void {
  for (const [scope, call] of pendingCalls) {
    const text =
      `${call}: ${scope.label()} can never end, since nothing is left to run. It waits for ${scope.waitsFor()}. A task or ` +
      'cleanup that awaits join() or close() of its own scope waits for itself: await that outside of the scope';
    reportUncaught(new Error(text), { fatal: false });
  }
  pendingCalls.clear();
}
