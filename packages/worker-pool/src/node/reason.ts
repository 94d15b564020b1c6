import { CancelledError, isCancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { isError } from '@quiesce/internal';

/** A reason on its way to another thread or process, where classes of ours would arrive as plain errors. */
export type WiredReason =
  | { readonly kind: 'cancelled'; readonly message: string; readonly source: CancelledError['source'] }
  | { readonly kind: 'timeout'; readonly message: string; readonly ms: number }
  | { readonly kind: 'error'; readonly name: string; readonly message: string }
  | { readonly kind: 'value'; readonly value: unknown };

/** What to send for a reason. */
export function wireReason(reason: unknown): WiredReason {
  if (isCancelledError(reason)) return { kind: 'cancelled', message: reason.message, source: reason.source };
  if (reason instanceof TimeoutError) return { kind: 'timeout', message: reason.message, ms: reason.ms };
  return { kind: 'value', value: reason };
}

/** What to send for a reason where only JSON gets through, which makes `{}` of an error and nothing of a function. */
export function wireJson(reason: unknown): WiredReason {
  const wired = wireReason(reason);
  if (wired.kind !== 'value') return wired;
  if (isError(reason)) return { kind: 'error', name: reason.name, message: reason.message };
  return typeof reason === 'function' || typeof reason === 'symbol' ? errorOf(reason) : wired;
}

/** The same for what not even JSON can say. */
export function errorOf(reason: unknown): WiredReason {
  return { kind: 'error', name: 'Error', message: textOf(reason) };
}

/** What to send for a reason that cannot be sent as it is. */
export function wireText(reason: unknown): WiredReason {
  return { kind: 'value', value: new Error(textOf(reason)) };
}

/** The reason on the other side: of our class where it was, else a copy. */
export function unwireReason(wired: WiredReason): unknown {
  if (wired.kind === 'cancelled') return new CancelledError(wired.message, { source: wired.source });
  if (wired.kind === 'timeout') return new TimeoutError(wired.ms, wired.message);
  if (wired.kind === 'value') return wired.value;
  const error = new Error(wired.message);
  // As built-in classes have it: not among what is shown of it.
  Object.defineProperty(error, 'name', { value: wired.name, configurable: true, writable: true });
  return error;
}

function textOf(reason: unknown): string {
  try {
    return String(reason);
  } catch {
    return 'The reason could not be sent';
  }
}
