import { propertyOf } from './errors.ts';
import type { Run } from './run.ts';

/** Checks how the test ended after `cancelEverywhere` cancelled it. */
export function checkOutcome(run: Run): void {
  const signal = run.cancelSignal?.signal;
  const { settled, settings } = run;
  if (signal === undefined || !signal.aborted || settled === undefined || settings.outcome === 'any') return;
  if (settled.status === 'fulfilled') {
    if (settings.outcome === 'reason') run.fail('outcome', new Error('The test fulfilled after it was cancelled'));
    return;
  }
  if (!isReason(settled.reason, signal.reason)) run.fail('outcome', settled.reason);
}

/** Whether an error says that the work was cancelled: the reason, one that it caused, or an `AbortError`. */
function isReason(error: unknown, reason: unknown): boolean {
  if (error === reason) return true;
  if (typeof error !== 'object' || error === null) return false;
  const cause = propertyOf(error, 'cause');
  return propertyOf(error, 'name') === 'AbortError' || (cause !== undefined && cause === reason);
}
