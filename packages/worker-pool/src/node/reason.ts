import { CancelledError, isCancelledError, TimeoutError } from '@quiesce/cancellation-token';

/** A reason on its way to another thread or process, where classes of ours would arrive as plain errors. */
export type WiredReason =
  | { readonly kind: 'cancelled'; readonly message: string; readonly source: CancelledError['source'] }
  | { readonly kind: 'timeout'; readonly message: string; readonly ms: number }
  | { readonly kind: 'value'; readonly value: unknown };

/** What to send for a reason. */
export function wireReason(reason: unknown): WiredReason {
  if (isCancelledError(reason)) return { kind: 'cancelled', message: reason.message, source: reason.source };
  if (reason instanceof TimeoutError) return { kind: 'timeout', message: reason.message, ms: reason.ms };
  return { kind: 'value', value: reason };
}

/** What to send for a reason that cannot be sent as it is. */
export function wireText(reason: unknown): WiredReason {
  return { kind: 'value', value: new Error(textOf(reason)) };
}

/** The reason on the other side: of our class where it was, else a copy. */
export function unwireReason(wired: WiredReason): unknown {
  if (wired.kind === 'cancelled') return new CancelledError(wired.message, { source: wired.source });
  return wired.kind === 'timeout' ? new TimeoutError(wired.ms, wired.message) : wired.value;
}

function textOf(reason: unknown): string {
  try {
    return String(reason);
  } catch {
    return 'The reason could not be sent';
  }
}
