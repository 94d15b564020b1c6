import { CancelledError, isCancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { isError } from '@quiesce/internal';

/** A reason in a form that another thread or process can restore. Error classes would arrive as plain errors. */
export type WiredReason =
  | { readonly kind: 'cancelled'; readonly message: string; readonly source: CancelledError['source'] }
  | { readonly kind: 'timeout'; readonly message: string; readonly ms: number }
  | { readonly kind: 'dom'; readonly name: string; readonly message: string }
  | { readonly kind: 'error'; readonly name: string; readonly message: string }
  | { readonly kind: 'value'; readonly value: unknown };

/** Encodes a reason for a port, which clones values. */
export function wireReason(reason: unknown): WiredReason {
  if (isCancelledError(reason)) return { kind: 'cancelled', message: reason.message, source: reason.source };
  // Node 20 clones it as an empty object. It is the reason of an `AbortController` that aborts without one.
  if (reason instanceof DOMException) return { kind: 'dom', name: reason.name, message: reason.message };
  if (reason instanceof TimeoutError) return { kind: 'timeout', message: reason.message, ms: reason.ms };
  return { kind: 'value', value: reason };
}

/** Encodes a reason as JSON, which would make `{}` of an error and drop a function. */
export function wireJson(reason: unknown): WiredReason {
  const wired = wireReason(reason);
  if (wired.kind !== 'value') return wired;
  if (isError(reason)) return { kind: 'error', name: reason.name, message: reason.message };
  return typeof reason === 'function' || typeof reason === 'symbol' ? wireTextJson(reason) : wired;
}

/** Encodes the text of a reason as JSON, for reasons that JSON cannot represent. */
export function wireTextJson(reason: unknown): WiredReason {
  return { kind: 'error', name: 'Error', message: textOf(reason) };
}

/** How many characters of a text fit into the least room, where JSON may need six bytes for each. */
const SHORT = 300;

/** Encodes a reason as JSON of at most `room` bytes. A reason that JSON cannot represent, or that is too long, becomes a text. */
export function wireBytes(reason: unknown, room: number): Uint8Array<ArrayBuffer> {
  const encode = (wired: WiredReason): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(wired));
  try {
    const bytes = encode(wireJson(reason));
    if (bytes.length <= room) return bytes;
  } catch {}
  return encode({ kind: 'error', name: 'Error', message: textOf(reason).slice(0, SHORT) });
}

/** Decodes the bytes of `wireBytes`. */
export function unwireBytes(bytes: Uint8Array<ArrayBuffer>): WiredReason {
  return JSON.parse(new TextDecoder().decode(bytes)) as WiredReason;
}

/** Encodes the text of a reason for a port, for reasons that cannot be cloned. */
export function wireText(reason: unknown): WiredReason {
  return { kind: 'value', value: new Error(textOf(reason)) };
}

/** Restores a reason: an instance of the original class where it is known, or a copy. */
export function unwireReason(wired: WiredReason): unknown {
  if (wired.kind === 'cancelled') return new CancelledError(wired.message, { source: wired.source });
  if (wired.kind === 'timeout') return new TimeoutError(wired.ms, wired.message);
  if (wired.kind === 'dom') return new DOMException(wired.message, wired.name);
  if (wired.kind === 'value') return wired.value;
  const error = new Error(wired.message);
  // Not enumerable, as in built-in classes: consoles do not show it among the properties.
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
