import { CancellationToken, type Clock, isCancellationOf, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import type { Dispatcher } from 'undici';
import { checkHeader, timeLeft } from '../timeout-header.ts';
import { checkPeer } from './check-peer.ts';

/** Options for `requestWith`. */
export interface RequestWithOptions {
  /**
   * The header that passes on the time that is left until the deadline of the token, in whole milliseconds, such as
   * `X-Request-Timeout` or `Connect-Timeout-Ms`. `grpc-timeout` gets its unit. A header of the request itself is kept.
   * Default: none.
   */
  readonly timeoutHeader?: string | undefined;
  /** The clock that measures the time that is left. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/** Options of one request: those of undici, without the parts that the URL gives. Headers are an object or a list of pairs. */
export interface TokenRequestOptions extends Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method' | 'headers'> {
  /** Default: `GET`. */
  readonly method?: Dispatcher.HttpMethod | undefined;
  /** The headers of the request. */
  readonly headers?: Readonly<Record<string, string>> | Headers | undefined;
  readonly signal?: AbortSignal | null;
}

/**
 * Returns a function like `request` of undici whose requests the token cancels: while they connect, while they wait for the
 * response, and while the body is read.
 *
 * Use it with the `Agent`, `Pool` or `Client` that your program has. For `fetch`, of undici too, use `fetchWith`.
 *
 * **Timing.** A request starts at the call, unless the token is cancelled. When the token has a deadline, it replaces the limits
 * of 300 seconds that undici has for headers and body, unless the request has its own.
 *
 * **Cancel safety.** A cancelled request, or the read of its body, rejects with the reason of the token. Every other error is the
 * failure of the request, unchanged: `isCancellationOf(error, token)` tells them apart. A cancelled request may have reached the
 * server.
 *
 * @param signal a token or an `AbortSignal`. The `signal` of a request cancels that request, too
 * @param dispatcher sends the requests
 * @param options `timeoutHeader`; `clock`
 * @returns a function that takes a URL and the options of undici
 * @throws TypeError when `signal` is neither a token nor an `AbortSignal`, `dispatcher` is not a dispatcher, the installed
 *   `undici` is not version 7, or an option is unknown or of the wrong kind. A request rejects with a TypeError for a wrong URL
 * @see `request` (undici 7)
 * @example
 * ```ts
 * import { MockAgent } from 'undici';
 *
 * const agent = new MockAgent();
 * agent.get('https://example.com').intercept({ path: '/' }).reply(200, ({ headers }) => {
 *   const left = Number((headers as Record<string, string>)['x-request-timeout']);
 *   return left > 0 && left <= 60_000 ? 'in time' : 'late';
 * });
 * const token = CancellationToken.timeout(60_000);
 * const request = requestWith(token, agent, { timeoutHeader: 'x-request-timeout' });
 * const { body } = await request('https://example.com/');
 * console.log(await body.text()); // => in time
 * ```
 */
export function requestWith(
  signal: CancellationToken | AbortSignal,
  dispatcher: Dispatcher,
  options: RequestWithOptions = {},
): (url: string | URL, options?: TokenRequestOptions) => Promise<Dispatcher.ResponseData> {
  checkPeer('requestWith()', 'undici', [7]);
  const token = CancellationToken.from(signal, 'requestWith');
  checkKind(typeof dispatcher?.dispatch === 'function', 'requestWith', 'a dispatcher of undici', dispatcher);
  checkOptions('requestWith', options, ['timeoutHeader', 'clock']);
  const { timeoutHeader, clock = systemClock } = options;
  if (timeoutHeader !== undefined) checkHeader('requestWith', timeoutHeader);
  // A token below a foreign signal would stay there as long as the signal.
  const native = signal instanceof AbortSignal ? signal : token.signal;
  return async (url, { signal: own, headers, method = 'GET', ...init } = {}) => {
    token.throwIfCancelled();
    const { origin, pathname, search } = new URL(url);
    const all = new Headers(headers);
    const left = timeoutHeader === undefined ? undefined : timeLeft(token, timeoutHeader, clock);
    if (timeoutHeader !== undefined && left !== undefined && !all.has(timeoutHeader)) all.set(timeoutHeader, left);
    const limits = token.deadline === undefined ? {} : { headersTimeout: 0, bodyTimeout: 0 };
    try {
      return await dispatcher.request({
        ...{ ...limits, ...init },
        ...{ origin, path: pathname + search, method, headers: Object.fromEntries(all) },
        signal: own == null ? native : AbortSignal.any([native, own]),
      });
    } catch (error) {
      throw isCancellationOf(error, token) ? token.reason : error;
    }
  };
}
