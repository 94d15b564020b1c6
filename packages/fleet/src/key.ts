import { show } from '@quiesce/internal';

/** The key of work: a path such as `jobs/42/3`, or its segments, such as `['jobs', 42, 3]`. */
export type FleetKey = string | readonly (string | number)[];

const MOST_SEGMENTS = 32;
const MOST_BYTES = 512;
/** Control characters, and halves of a surrogate pair, which databases store differently. */
const REFUSED = /[\p{Cc}\p{Surrogate}]/u;

/**
 * Returns a key as a string: its wire form, for SQL and for other languages. Each element of a list is one segment. `/` and `%` in
 * it are escaped, so that an id stays one segment.
 *
 * A cancel of a key covers the key and all keys below it. It compares whole segments: `jobs/1` covers `jobs/1/2`, and never
 * `jobs/10`. Put the number of the attempt into the last segment, so that an old cancel does not cover a retry.
 *
 * @param key 1 to 32 segments, none of them empty; 512 bytes of UTF-8 at most
 * @throws TypeError for anything but a string or a list of strings and integers, for an empty segment, for too many segments, and
 *   for control characters; RangeError for a key that is too long
 * @example
 * ```ts
 * console.log(fleetKey(['jobs', 42, 'a/b'])); // => jobs/42/a%2Fb
 * ```
 */
export function fleetKey(key: FleetKey): string {
  return keyOf('fleetKey', key);
}

/** Does the same as {@link fleetKey}; errors name the call. */
export function keyOf(call: string, key: FleetKey): string {
  const path = typeof key === 'string' ? key : pathOf(call, key);
  if (path === '' || path.startsWith('/') || path.endsWith('/') || path.includes('//')) {
    throw new TypeError(
      `${call}: the key ${show(key)} has an empty segment${typeof key === 'string' ? hint(path) : ''}`,
    );
  }
  if (REFUSED.test(path)) {
    throw new TypeError(`${call}: the key ${show(key)} has a control character or half of a surrogate pair`);
  }
  // A UTF-16 unit takes three bytes at most.
  if (path.length * 3 > MOST_BYTES && new TextEncoder().encode(path).length > MOST_BYTES) {
    throw new RangeError(
      `${call}: a key has at most ${MOST_BYTES} bytes, got ${new TextEncoder().encode(path).length}`,
    );
  }
  const count = segmentCount(path);
  if (count > MOST_SEGMENTS) {
    throw new TypeError(`${call}: a key has at most ${MOST_SEGMENTS} segments, got ${count}`);
  }
  return path;
}

function hint(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '');
  return segments.length === 0 ? '' : `: write ${JSON.stringify(segments.join('/'))}`;
}

function pathOf(call: string, key: unknown): string {
  if (!Array.isArray(key)) {
    throw new TypeError(`${call}: the key must be a string such as 'jobs/42', or a list of segments, got ${show(key)}`);
  }
  return key.map((segment) => segmentOf(call, segment)).join('/');
}

function segmentOf(call: string, segment: unknown): string {
  if (typeof segment === 'string') {
    if (segment === '') throw new TypeError(`${call}: a segment of the key is empty`);
    return segment.replaceAll('%', '%25').replaceAll('/', '%2F');
  }
  if (Number.isSafeInteger(segment)) return String(segment);
  throw new TypeError(`${call}: a segment of the key must be a string or an integer, got ${show(segment)}`);
}

function segmentCount(path: string): number {
  let count = 1;
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) count++;
  return count;
}

/** Calls `visit` with the key and each key above it, the shortest first. */
export function visitPrefixes(path: string, visit: (prefix: string) => void): void {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) visit(path.slice(0, at));
  visit(path);
}
