import { CancellationToken } from '@quiesce/cancellation-token';
import { checkHeaderName, checkOptions, checkTime } from '@quiesce/internal';
import { checkHeaders, type DeadlineHeaders, readHeader, writeHeader } from './headers.ts';
import { formatTimeout, HEADER, parseTimeout } from './timeouts.ts';

/** Options for `injectDeadline`. */
export interface InjectDeadlineOptions {
  /** The name of the header. The value of `grpc-timeout` is written with its unit. Default: `quiesce-timeout-ms`. */
  readonly header?: string | undefined;
  /** The time that is reserved for the transport of the request and its response, in ms from 0. Default: 0. */
  readonly margin?: number | undefined;
}

/** Returns the time that can be passed on, in ms, or `Infinity` when the token has no deadline. */
export function timeToPass(token: CancellationToken, margin: number): number {
  return token.timeLeft === undefined ? Number.POSITIVE_INFINITY : token.timeLeft - margin;
}

/** @throws TypeError or RangeError for an invalid option */
export function checkInjectOptions(
  call: string,
  options: InjectDeadlineOptions,
): { readonly header: string; readonly margin: number } {
  checkOptions(call, options, ['header', 'margin']);
  const { header = HEADER, margin = 0 } = options;
  checkHeaderName(`${call}: header`, header);
  checkTime(`${call}: margin`, margin);
  return { header, margin };
}

/**
 * Writes the time until the deadline of a token into the headers of a request, so that the server can stop when its client has
 * given up. Without a deadline, it changes nothing.
 *
 * Use it for clients that have no adapter. For `fetch`, use `deadlineFetch`. The header has a duration and not a time of day,
 * because the clocks of two machines differ.
 *
 * **Timing.** Synchronous. The time is measured at the call, so call it just before you send the request.
 *
 * @param headers the headers to change: `Headers`, or an object. A smaller valid time in the same header stays
 * @param token the token, or its `signal`; a foreign `AbortSignal` has no deadline
 * @param options `header`; `margin`: time reserved for the transport, in ms
 * @returns the headers
 * @throws TypeError when `headers` is neither, `token` is neither a token nor a signal, or an option is unknown or of the
 *   wrong kind; RangeError when `margin` is negative or NaN
 * @see gRPC over HTTP/2, `grpc-timeout`
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const token = CancellationToken.timeout(2_000, { clock });
 * await clock.advance(500);
 * console.log(injectDeadline({}, token)); // => { 'quiesce-timeout-ms': '1500' }
 * console.log(injectDeadline({}, token, { header: 'grpc-timeout', margin: 100 })); // => { 'grpc-timeout': '1400m' }
 * console.log(injectDeadline({}, new CancellationToken())); // => {}
 * ```
 */
export function injectDeadline<T extends DeadlineHeaders>(
  headers: T,
  token: CancellationToken | AbortSignal,
  options: InjectDeadlineOptions = {},
): T {
  checkHeaders('injectDeadline', headers, ['set']);
  const own = CancellationToken.from(token, 'injectDeadline');
  const { header, margin } = checkInjectOptions('injectDeadline', options);
  const left = timeToPass(own, margin);
  if (left === Number.POSITIVE_INFINITY) return headers;
  // Headers that are copied from an incoming request may contain its time.
  const present = readHeader(headers, header).map((value) => parseTimeout(header, value));
  writeHeader(headers, header, formatTimeout(header, Math.min(left, ...present)));
  return headers;
}
