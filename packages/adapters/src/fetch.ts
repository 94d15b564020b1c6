import { CancellationToken, type Clock, isCancellationOf, systemClock } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { checkHeader, joinSignals, nativeSignal, timeLeft } from './request-options.ts';

/** Options for `fetchWith`. */
export interface FetchWithOptions {
  /**
   * The header that passes on the time that is left until the deadline of the token, in whole milliseconds, such as
   * `X-Request-Timeout` or `Connect-Timeout-Ms`. `grpc-timeout` gets its unit. A header of the request itself is kept.
   * Default: none, because a browser asks another origin for permission before it sends such a header.
   */
  readonly timeoutHeader?: string | undefined;
  /** The fetch that sends the requests. Default: the global one at the time of each call. */
  readonly fetch?: typeof fetch | undefined;
  /** The clock that measures the time that is left. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/**
 * Returns a `fetch` whose requests the token cancels: while they connect, while they wait for the response, and while the body
 * is read.
 *
 * Use it for requests to other services, and pass it to clients that take a `fetch`. The deadline of the token limits each
 * request as a whole, and can be passed on to the other service.
 *
 * **Timing.** A request starts at the call, unless the token is cancelled. The deadline counts until the body has been read.
 *
 * **Cancel safety.** A cancelled request rejects with the reason of the token. Every other error is the failure of the request,
 * unchanged: `isCancellationOf(error, token)` tells them apart. A cancelled request may have reached the server.
 *
 * @param signal a token or an `AbortSignal`. The `signal` of a request cancels that request, too
 * @param options `timeoutHeader`; `fetch`; `clock`
 * @returns a function like `fetch`
 * @throws TypeError when `signal` is neither a token nor an `AbortSignal`, or an option is unknown or of the wrong kind
 * @see the platform's `fetch`, which rejects with an `AbortError` in some browsers
 * @example
 * ```ts
 * const token = CancellationToken.timeout(60_000);
 * const send = async (_: unknown, init?: RequestInit): Promise<Response> => {
 *   const left = Number(new Headers(init?.headers).get('x-request-timeout'));
 *   return new Response(left > 0 && left <= 60_000 ? 'in time' : 'late');
 * };
 * const get = fetchWith(token, { timeoutHeader: 'x-request-timeout', fetch: send });
 * console.log(await (await get('https://example.com')).text()); // => in time
 * ```
 */
export function fetchWith(signal: CancellationToken | AbortSignal, options: FetchWithOptions = {}): typeof fetch {
  const token = CancellationToken.from(signal, 'fetchWith');
  checkOptions('fetchWith', options, ['timeoutHeader', 'fetch', 'clock']);
  const { timeoutHeader, clock = systemClock } = options;
  if (options.fetch !== undefined) checkFunction('fetchWith: fetch', options.fetch);
  if (timeoutHeader !== undefined) checkHeader('fetchWith', timeoutHeader);
  const native = nativeSignal('fetchWith', signal);
  return async (input, init) => {
    token.throwIfCancelled();
    const request = input as Partial<Request> | undefined;
    const own = init?.signal === undefined ? request?.signal : init.signal;
    const changed: RequestInit = { ...init, signal: joinSignals('fetch', native, own) };
    const left = timeoutHeader === undefined ? undefined : timeLeft(token, timeoutHeader, clock);
    // Without a header to add, the fetch gets the headers as they are: it may take other kinds than the platform.
    if (timeoutHeader !== undefined && left !== undefined) {
      const headers = new Headers(init?.headers ?? request?.headers);
      if (!headers.has(timeoutHeader)) headers.set(timeoutHeader, left);
      changed.headers = headers;
    }
    try {
      return await (options.fetch ?? fetch)(input, changed);
    } catch (error) {
      throw isCancellationOf(error, token) ? token.reason : error;
    }
  };
}
