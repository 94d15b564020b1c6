import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { checkNumber, checkOptions } from '@quiesce/internal';
import { checkHeaders, type ReadableHeaders, readHeader } from './headers.ts';
import { parseTimeout, TIMEOUT_HEADERS } from './timeouts.ts';

/** Options for `extractDeadline`. */
export interface ExtractDeadlineOptions {
  /** A token or an `AbortSignal` that also cancels the new token, such as that of the connection. Default: none. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** The longest time, in ms from 0. It also limits a request without a header. Default: `Infinity`. */
  readonly maxTimeout?: number | undefined;
  /** The name of the new token. */
  readonly name?: string | undefined;
  /** The clock. Default: that of the deadline of `signal`, else the platform's. */
  readonly clock?: Clock | undefined;
  /** When the request arrived, on the scale of the clock's `now()`. Default: now. */
  readonly since?: number | undefined;
}

/**
 * Returns a token with the deadline in the headers of a request. The token is a child of `signal`, and is cancelled with a
 * `TimeoutError` when the time of the client is over.
 *
 * The limit is the smallest of `maxTimeout` and every valid value of `quiesce-timeout-ms`, `grpc-timeout`, `connect-timeout-ms`
 * and `x-envoy-expected-rq-timeout-ms`. A value that is not valid is ignored. No header can extend the time. In `http-drain`,
 * the option `deadline` does this for `tokenOf(request)`.
 *
 * **Timing.** Synchronous. The time begins at the call, or at `since`.
 *
 * @param headers `Headers`, or an object such as `request.headers` of Node
 * @param options `signal`; `maxTimeout`; `name`; `clock`; `since`
 * @returns the token; without any limit, a child token without its own deadline
 * @throws TypeError when `headers` is neither, or an option is unknown or of the wrong kind; RangeError when `maxTimeout` is
 *   negative or NaN, or `since` is in the future
 * @see gRPC over HTTP/2, `grpc-timeout`; the protocol of Connect, `connect-timeout-ms`
 * @example
 * ```ts
 * const request = new Request('https://example.com', { headers: { 'grpc-timeout': '2S', 'quiesce-timeout-ms': '500' } });
 * const clock = new VirtualClock();
 * const token = extractDeadline(request.headers, { maxTimeout: 30_000, clock });
 * console.log(token.timeLeft); // => 500
 * await clock.advance(500);
 * console.log(String(token.reason)); // => TimeoutError: Timed out after 500 ms
 * ```
 */
export function extractDeadline(headers: ReadableHeaders, options: ExtractDeadlineOptions = {}): CancellationToken {
  checkHeaders('extractDeadline', headers, []);
  checkOptions('extractDeadline', options, ['signal', 'maxTimeout', 'name', 'clock', 'since']);
  const { signal, maxTimeout = Number.POSITIVE_INFINITY, name, clock, since } = options;
  const isSince = since === undefined || Number.isFinite(since);
  checkNumber(isSince, 'extractDeadline: since', "a time of its clock's now()", since);
  const above =
    signal === undefined ? new CancellationToken() : CancellationToken.from(signal, 'extractDeadline: signal');
  const stated = TIMEOUT_HEADERS.flatMap((header) =>
    readHeader(headers, header).map((value) => parseTimeout(header, value)),
  );
  const ms = Math.min(maxTimeout, ...stated);
  if (ms === Number.POSITIVE_INFINITY) return above.childToken({ name });
  // Only a deadline that can be renewed begins in the past, and its error names the whole time.
  return since === undefined
    ? above.withTimeout(ms, { name, clock })
    : above.renewable(ms, { name, clock, since }).token;
}
