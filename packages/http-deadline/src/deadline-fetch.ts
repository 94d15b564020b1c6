import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { checkFunction } from '@quiesce/internal';
import { checkInjectOptions, type InjectDeadlineOptions, injectDeadline, timeToPass } from './inject-deadline.ts';

/** Options for `deadlineFetch`: those of `injectDeadline`. */
export interface DeadlineFetchOptions extends InjectDeadlineOptions {}

/**
 * Returns a `fetch` that passes the deadline of its `signal` on to the server, and rejects when no time is left.
 *
 * Pass `token.signal` as `signal`, in the second argument. The signals of a `Request` and of `AbortSignal.any` have no readable
 * deadline. For other signals, and for a token without a deadline, the function does the same as `fetch`. In a browser, the server
 * of another origin must allow the header (`Access-Control-Allow-Headers`).
 *
 * **Timing.** The time is measured when the request starts.
 *
 * **Cancel safety.** The same as `fetch`. When no time is left, no request was sent.
 *
 * @param fetch sends the requests. Default: the global one at the time of each call
 * @param options `header`; `margin`: time reserved for the transport, in ms
 * @returns a function like `fetch`. It rejects with the token's reason when the token is cancelled, and with a `TimeoutError`
 *   when less than 1 ms is left to pass on
 * @throws TypeError when `fetch` is not a function, or an option is unknown or of the wrong kind; RangeError when
 *   `margin` is negative or NaN
 * @see the platform's `fetch`
 * @example
 * ```ts
 * const server = async (_: unknown, init?: RequestInit): Promise<Response> =>
 *   new Response(new Headers(init?.headers).get('quiesce-timeout-ms'));
 * const get = deadlineFetch(server);
 * const clock = new VirtualClock();
 * const { signal } = CancellationToken.timeout(2_000, { clock });
 * console.log(await (await get('https://example.com', { signal })).text()); // => 2000
 * await clock.advance(2_000);
 * await get('https://example.com', { signal }).catch((error) => console.log(error.name)); // => TimeoutError
 * ```
 */
export function deadlineFetch(
  fetch?: typeof globalThis.fetch,
  options: DeadlineFetchOptions = {},
): typeof globalThis.fetch {
  if (fetch !== undefined) checkFunction('deadlineFetch', fetch);
  const { header, margin } = checkInjectOptions('deadlineFetch', options);
  return async (input, init) => {
    const send = fetch ?? globalThis.fetch;
    const signal = init?.signal;
    if (signal === undefined || signal === null) return send(input, init);
    const token = CancellationToken.from(signal, 'deadlineFetch: signal');
    token.throwIfCancelled();
    const left = timeToPass(token, margin);
    if (left === Number.POSITIVE_INFINITY) return send(input, init);
    if (left < 1) throw new TimeoutError(margin, `deadlineFetch: no time is left after the margin of ${margin} ms`);
    const headers = new Headers(init?.headers ?? (input as Partial<Request>).headers);
    return send(input, { ...init, headers: injectDeadline(headers, token, { header, margin }) });
  };
}
