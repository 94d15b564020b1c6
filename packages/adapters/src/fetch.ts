import { CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { InjectDeadlineOptions } from '@quiesce/http-deadline';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { checkDeadline, joinSignals, nativeSignal, tokensOf, withDeadline } from './request-options.ts';

/** Options for `fetchWith`. */
export interface FetchWithOptions {
  /**
   * Whether a header passes the deadline of the token on to the server, as `deadlineFetch` of `@quiesce/http-deadline` does.
   * `header`: its name, by default `quiesce-timeout-ms`. `margin`: time reserved for the transport, in ms from 0. Default: false,
   * because a browser asks another origin for permission before it sends such a header.
   */
  readonly deadline?: boolean | InjectDeadlineOptions | undefined;
  /** The fetch that sends the requests. Default: the global one at the time of each call. */
  readonly fetch?: typeof fetch | undefined;
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
 * unchanged: `isCancellationOf(error, token)` tells them apart. A cancelled request may have reached the server. With `deadline`,
 * a request for which less than 1 ms is left is not sent, and rejects with a `TimeoutError`.
 *
 * @param signal a token or an `AbortSignal`. The `signal` of a request cancels that request, too
 * @param options `deadline`; `fetch`
 * @returns a function like `fetch`
 * @throws TypeError when `signal` is neither a token nor an `AbortSignal`, or an option is unknown or of the wrong kind;
 *   RangeError when `margin` is negative or NaN
 * @see the platform's `fetch`, which rejects with an `AbortError` in some browsers
 * @example
 * ```ts
 * const token = CancellationToken.timeout(60_000);
 * const send = async (_: unknown, init?: RequestInit): Promise<Response> => {
 *   const left = Number(new Headers(init?.headers).get('quiesce-timeout-ms'));
 *   return new Response(left > 0 && left <= 60_000 ? 'in time' : 'late');
 * };
 * const get = fetchWith(token, { deadline: true, fetch: send });
 * console.log(await (await get('https://example.com')).text()); // => in time
 * ```
 */
export function fetchWith(signal: CancellationToken | AbortSignal, options: FetchWithOptions = {}): typeof fetch {
  const token = CancellationToken.from(signal, 'fetchWith');
  checkOptions('fetchWith', options, ['deadline', 'fetch']);
  const deadline = checkDeadline('fetchWith', options.deadline);
  if (options.fetch !== undefined) checkFunction('fetchWith: fetch', options.fetch);
  const native = nativeSignal('fetchWith', signal);
  return async (input, init) => {
    token.throwIfCancelled();
    const request = input as Partial<Request> | undefined;
    const own = init?.signal === undefined ? request?.signal : init.signal;
    const changed: RequestInit = { ...init, signal: joinSignals('fetch', native, own) };
    const limits = deadline === undefined ? [] : tokensOf(token, own);
    // Without a header to add, the fetch gets the headers unchanged: it may take other kinds than the platform.
    if (deadline !== undefined && limits.length > 0) {
      changed.headers = withDeadline('fetchWith', new Headers(init?.headers ?? request?.headers), limits, deadline);
    }
    try {
      return await (options.fetch ?? fetch)(input, changed);
    } catch (error) {
      throw isCancellationOf(error, token) ? token.reason : error;
    }
  };
}
