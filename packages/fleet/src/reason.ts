import {
  CancelledError,
  type CancelledSource,
  isCancelledError,
  isTimeoutError,
  TimeoutError,
} from '@quiesce/cancellation-token';
import { isError, show } from '@quiesce/internal';

const MOST_BYTES = 8192;

/** The wire form of a reason. */
type Encoded =
  | { readonly type: 'cancelled'; readonly message: string; readonly source: CancelledSource }
  | { readonly type: 'timeout'; readonly message: string; readonly ms: number }
  | { readonly type: 'error'; readonly name: string; readonly message: string; readonly code?: string | number }
  | { readonly type: 'value'; readonly value: unknown };

/**
 * Returns a reason as JSON: its wire form, for SQL and for other languages.
 *
 * A `CancelledError` keeps its source, a `TimeoutError` its `ms`, any other error its name, message, and a string or number
 * `code`. Stacks and other fields are not sent. Any other reason must be a plain JSON value. `undefined` stands for a
 * `CancelledError`. JSON has one zero: -0 arrives as 0.
 *
 * @throws TypeError for a value that JSON would change: a function, a symbol, a bigint, `NaN`, a cycle, an
 *   instance of a class; RangeError for more than 8 kB
 * @example
 * ```ts
 * console.log(encodeReason({ by: 'user', id: 7 })); // => {"type":"value","value":{"by":"user","id":7}}
 * console.log(String(decodeReason(encodeReason(new TimeoutError(50))))); // => TimeoutError: Timed out after 50 ms
 * ```
 */
export function encodeReason(reason: unknown): string {
  return encode('encodeReason', reason);
}

/** Does the same as {@link encodeReason}; errors name the call. */
export function encode(call: string, reason: unknown): string {
  const json = JSON.stringify(encodedOf(call, reason === undefined ? new CancelledError() : reason));
  const { length } = new TextEncoder().encode(json);
  if (length > MOST_BYTES) {
    throw new RangeError(
      `${call}: a reason has at most ${MOST_BYTES} bytes as JSON, got ${length}; send an id instead`,
    );
  }
  return json;
}

function encodedOf(call: string, reason: unknown): Encoded {
  if (isCancelledError(reason)) return { type: 'cancelled', message: reason.message, source: reason.source };
  if (isTimeoutError(reason)) return { type: 'timeout', message: reason.message, ms: reason.ms };
  if (isError(reason)) {
    const { name, message, code } = reason as Error & { readonly code?: unknown };
    const hasCode = typeof code === 'string' || (typeof code === 'number' && Number.isFinite(code));
    return { type: 'error', name: String(name), message: String(message), ...(hasCode && { code }) };
  }
  checkJson(call, reason, []);
  return { type: 'value', value: reason };
}

/** Refuses a value that JSON would change. */
function checkJson(call: string, value: unknown, above: readonly object[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (typeof value !== 'object') throw unsendable(call, show(value));
  if (above.includes(value)) throw unsendable(call, 'an object that contains itself');
  const isArray = Array.isArray(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!isArray && prototype !== Object.prototype && prototype !== null) throw unsendable(call, show(value));
  const keys = Reflect.ownKeys(value);
  if (keys.some((key) => typeof key === 'symbol')) throw unsendable(call, 'an object with a symbol as a key');
  if (isArray && keys.length !== value.length + 1) throw unsendable(call, 'an array with holes or further fields');
  for (const inner of Object.values(value)) checkJson(call, inner, [...above, value]);
}

function unsendable(call: string, what: string): TypeError {
  return new TypeError(
    `${call}: the reason must be an error or a plain JSON value, got ${what}; send a string, or an object of strings and numbers`,
  );
}

/**
 * Returns the reason of a wire form: a `CancelledError`, a `TimeoutError`, an `Error` with the name, message and code that were
 * sent, or the JSON value. Received data is never executed.
 *
 * For a text that is not valid, it returns a `CancelledError` that says so, because the cancel itself still counts.
 *
 * @throws never
 * @example
 * ```ts
 * console.log(decodeReason('{"type":"value","value":"stop"}')); // => stop
 * ```
 */
export function decodeReason(json: string): unknown {
  try {
    return decoded(JSON.parse(json));
  } catch {
    return unreadable();
  }
}

/** Returns the reason of a parsed wire form; `null` stands for a `CancelledError`. */
export function decoded(from: unknown): unknown {
  if (from === null || from === undefined) return new CancelledError();
  const { type, message, source, ms, name, code, value } = Object(from) as Record<string, unknown>;
  const text = typeof message === 'string' ? message : undefined;
  if (type === 'cancelled') {
    const from = sources.find((one) => one === source) ?? 'explicit';
    return new CancelledError(text, { source: from });
  }
  if (type === 'timeout' && typeof ms === 'number') return new TimeoutError(ms, text);
  if (type === 'value') return value;
  if (type !== 'error' || typeof name !== 'string') return unreadable();
  const error = new Error(text);
  // Own fields, which Node does not print twice.
  if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (typeof code === 'string' || typeof code === 'number') Object.assign(error, { code });
  return error;
}

const sources: readonly CancelledSource[] = ['explicit', 'signal', 'sibling', 'scope', 'select', 'shutdown'];

function unreadable(): CancelledError {
  return new CancelledError(
    'This operation was cancelled, with a reason that this version of @quiesce/fleet cannot read',
  );
}
