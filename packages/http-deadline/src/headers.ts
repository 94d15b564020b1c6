import { checkKind } from '@quiesce/internal';

/**
 * The headers of a request: the platform's `Headers`, the metadata of gRPC, or an object such as `request.headers` of Node. The
 * names in an object may have any case.
 */
export type ReadableHeaders =
  | {
      /** Returns the value of a header. */
      get(name: string): unknown;
    }
  | HeaderRecord;

/** Headers that can be changed. */
export type DeadlineHeaders =
  | {
      /** Returns the value of a header. */
      get(name: string): unknown;
      /** Replaces the value of a header. */
      set(name: string, value: string): unknown;
    }
  | HeaderRecord;

/** Headers as an object. */
type HeaderRecord = Record<string, string | number | readonly string[] | undefined>;

/** @throws TypeError unless `headers` can hold headers */
export function checkHeaders(call: string, headers: unknown, methods: readonly string[]): void {
  checkKind(areHeaders(headers, methods), call, 'Headers, or an object of headers', headers);
}

function areHeaders(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (hasMethod(value, 'get')) return methods.every((method) => hasMethod(value, method));
  // On a list of pairs, or on a request of Node, the header would become a property that is never sent.
  const isRequest = typeof Reflect.get(value, 'headers') === 'object';
  return Object.prototype.toString.call(value) === '[object Object]' && !isRequest;
}

/** Returns the values of a header. Several values may be a list, or be joined by commas. */
export function readHeader(headers: ReadableHeaders, name: string): string[] {
  const found = isMap(headers) ? [headers.get(name)] : keysOf(headers, name).map((key) => headers[key]);
  return found.flat().flatMap((value) => (value == null ? [] : String(value).split(',')));
}

/** Replaces all values of a header. */
export function writeHeader(headers: DeadlineHeaders, name: string, value: string): void {
  if (isMap(headers)) {
    headers.set(name, value);
    return;
  }
  for (const key of keysOf(headers, name)) delete headers[key];
  headers[name] = value;
}

function isMap<T extends ReadableHeaders>(headers: T): headers is Extract<T, { get(name: string): unknown }> {
  return hasMethod(headers, 'get');
}

function hasMethod(headers: object, method: string): boolean {
  return typeof Reflect.get(headers, method) === 'function';
}

/** Returns the keys that equal a name, in any case. */
function keysOf(headers: object, name: string): string[] {
  const lower = name.toLowerCase();
  return Object.keys(headers).filter((key) => key.toLowerCase() === lower);
}
