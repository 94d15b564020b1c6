import { CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { InjectDeadlineOptions } from '@quiesce/http-deadline';
import { checkKind, checkOptions } from '@quiesce/internal';
import type { Dispatcher } from 'undici';
import { checkDeadline, joinSignals, nativeSignal, tokensOf, withDeadline } from '../request-options.ts';
import { checkPeer } from './check-peer.ts';

/** Options for `requestWith`. */
export interface RequestWithOptions {
  /**
   * Whether a header passes the deadline of the token on to the server, as `injectDeadline` of `@quiesce/http-deadline` does.
   * `header`: its name, by default `quiesce-timeout-ms`. `margin`: time reserved for the transport, in ms from 0. Default: false.
   */
  readonly deadline?: boolean | InjectDeadlineOptions | undefined;
}

/** Options of one request: those of `request` of undici, without the parts that the URL gives. */
export interface TokenRequestOptions
  extends Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method' | 'headers' | 'signal'> {
  /** Default, as in undici: `GET`, and `PUT` for a request with a body. */
  readonly method?: Dispatcher.HttpMethod | undefined;
  /** Cancels this request, too. */
  readonly signal?: CancellationToken | AbortSignal | null | undefined;
  /** The headers, of any kind that undici takes. */
  readonly headers?: Dispatcher.RequestOptions['headers'] | undefined;
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
 * server. With `deadline`, a request for which less than 1 ms is left is not sent, and rejects with a `TimeoutError`.
 *
 * @param signal a token or an `AbortSignal`. The `signal` of a request cancels that request, too
 * @param dispatcher sends the requests
 * @param options `deadline`
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
 *   const left = Number((headers as Record<string, string>)['quiesce-timeout-ms']);
 *   return left > 0 && left <= 60_000 ? 'in time' : 'late';
 * });
 * const token = CancellationToken.timeout(60_000);
 * const request = requestWith(token, agent, { deadline: true });
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
  checkOptions('requestWith', options, ['deadline']);
  const deadline = checkDeadline('requestWith', options.deadline);
  const native = nativeSignal('requestWith', signal);
  return async (url, { signal: own, method, headers = null, ...init } = {}) => {
    token.throwIfCancelled();
    const { origin, pathname, search } = new URL(url);
    const joined = joinSignals('request', native, own);
    const tokens = deadline === undefined ? [] : tokensOf(token, own);
    const hasHeader = deadline !== undefined && tokens.length > 0;
    const all = hasHeader ? withDeadline('requestWith', recordOf(headers), tokens, deadline) : headers;
    const limits = token.deadline === undefined ? {} : { headersTimeout: 0, bodyTimeout: 0 };
    try {
      return await dispatcher.request({
        ...{ ...limits, ...init },
        ...{ origin, path: pathname + search, method: method ?? (init.body ? 'PUT' : 'GET'), headers: all },
        signal: joined,
      });
    } catch (error) {
      throw isCancellationOf(error, token) ? token.reason : error;
    }
  };
}

type RequestHeaders = Exclude<Dispatcher.RequestOptions['headers'], undefined>;

/** Returns the headers of a request, of any kind that undici takes, as an object. */
function recordOf(headers: RequestHeaders): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  for (const [key, given] of entriesOf(headers)) {
    if (given === undefined) continue;
    all[key] = Object.hasOwn(all, key) ? [all[key] as string | string[], given].flat() : given;
  }
  return all;
}

function entriesOf(headers: RequestHeaders): readonly (readonly [string, string | string[] | undefined])[] {
  if (headers === null) return [];
  if (!(Symbol.iterator in headers)) return Object.entries(headers);
  const list = [...(headers as Iterable<string | [string, string]>)];
  // A flat list: name, value, name, value.
  return list.flatMap((one, i) => {
    if (typeof one !== 'string') return [one];
    return i % 2 === 0 ? [[one, list[i + 1] as string] as const] : [];
  });
}
