import type { Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { extractDeadline, type ReadableHeaders } from '@quiesce/http-deadline';
import type { ServerState } from './server-state.ts';

/** The connection or the stream of HTTP/2 that carries a request. */
type Carrier = Socket | Http2Stream;

/** How an exchange ended. */
type Ending = 'completed' | 'disconnected';

/**
 * One request until its response has ended, one stream of HTTP/2, or one upgraded socket until it is closed.
 *
 * It is in flight from its creation to its first `end`, which counts it.
 */
export class Exchange {
  readonly #state: ServerState;
  readonly #inFlight: Set<Exchange>;
  readonly #carrier: Carrier;
  readonly #method: string | undefined;
  readonly #url: string | undefined;
  /** `undefined`: its deadline is not read there. */
  readonly #headers: ReadableHeaders | undefined;
  /** When it arrived, on the clock's `now()` scale; not read without `#headers`. */
  readonly #arrived: number;
  /** Created by the first access to `token`, disposed by `end`. */
  #token: CancellationToken | undefined = undefined;
  /** Set once, by `end`. `undefined` while it is in flight. */
  #ending: Ending | undefined = undefined;
  /** Set by `refuse`: it is counted as refused, and not as completed. */
  #isRefused = false;

  constructor(
    state: ServerState,
    inFlight: Set<Exchange>,
    carrier: Carrier,
    method: string | undefined,
    url: string | undefined,
    headers: ReadableHeaders | undefined,
  ) {
    this.#state = state;
    this.#inFlight = inFlight;
    this.#carrier = carrier;
    this.#method = method;
    this.#url = url;
    this.#headers = state.settings.maxTimeout === undefined ? undefined : headers;
    this.#arrived = this.#headers === undefined ? 0 : state.settings.clock.now();
  }

  /** Its name in reports: `GET /path`. Computed on demand, because few exchanges are named. */
  get label(): string {
    return `${this.#method ?? '?'} ${(this.#url ?? '?').replace(/[?#].*/s, '')}`;
  }

  /** Cancelled when the client has disconnected, at the deadline of the drain, and at its own. */
  get token(): CancellationToken {
    this.#token ??= this.#createToken();
    return this.#token;
  }

  refuse(): void {
    this.#isRefused = true;
    this.#state.tally.refusedCount++;
  }

  /** Resets its stream or connection, so that the client notices. */
  destroy(): void {
    resetCarrier(this.#carrier);
  }

  /** Records the end. Idempotent. */
  end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    const { tally, phase, isDestroying } = this.#state;
    if (isDestroying && ending === 'disconnected') tally.destroyed.push(this.label);
    else if (phase !== 'running' && !(this.#isRefused && ending === 'completed')) tally[`${ending}Count`]++;
    this.#inFlight.delete(this);
    if (ending === 'disconnected') this.#token?.cancel(clientGone());
    this.#token?.dispose();
  }

  #createToken(): CancellationToken {
    if (this.#ending === 'disconnected') return CancellationToken.alreadyCancelled(clientGone());
    const { deadlineToken: parent, settings } = this.#state;
    const { maxTimeout, clock } = settings;
    const name = this.label;
    const token =
      this.#headers === undefined
        ? parent.childToken({ name })
        : extractDeadline(this.#headers, { signal: parent, name, maxTimeout, clock, since: this.#arrived });
    if (this.#ending !== undefined) token.dispose();
    return token;
  }
}

/** The exchanges of a server. */
export class Exchanges {
  /** Each exchange from `open` until its response has ended or its socket is closed. */
  readonly inFlight: Set<Exchange> = new Set();
  readonly #state: ServerState;
  /** By request, its raw headers and its response, or by stream. */
  readonly #byKey: WeakMap<object, Exchange> = new WeakMap();

  constructor(state: ServerState) {
    this.#state = state;
  }

  /** @param headers `undefined` for an upgraded socket, which has no deadline of its own */
  open(
    keys: readonly object[],
    carrier: Carrier,
    method: string | undefined,
    url: string | undefined,
    headers?: ReadableHeaders,
  ): Exchange {
    const exchange = new Exchange(this.#state, this.inFlight, carrier, method, url, headers);
    this.inFlight.add(exchange);
    for (const key of keys) this.#byKey.set(key, exchange);
    return exchange;
  }

  /**
   * Returns the exchange of a request or of a stream. A listener may pass a request on in a proxy or in an object of its own,
   * with the same `rawHeaders` or the same response.
   */
  find(request: unknown, response?: object): Exchange | undefined {
    const { rawHeaders, stream } = Object(request) as { readonly rawHeaders?: object; readonly stream?: object };
    for (const key of [request, rawHeaders, response, stream]) {
      const exchange = key === Object(key) ? this.#byKey.get(key as object) : undefined;
      if (exchange !== undefined) return exchange;
    }
    return undefined;
  }
}

function clientGone(): CancelledError {
  return new CancelledError('The client went away before its response had ended', { source: 'signal' });
}

/**
 * Resets a stream, or a connection where the system allows it, so that the client notices. After a FIN, a response without a
 * length would look whole, and so would a tunnel.
 */
function resetCarrier(carrier: Carrier): void {
  // Without a listener an error would end the process.
  carrier.on('error', () => {});
  // Not its close(): that sends the end of the response before the reset.
  if ('rstCode' in carrier) carrier.destroy(new Error('The deadline has passed before the response had ended'));
  else resetSocket(carrier);
}

function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // Only TCP sockets can be reset: not TLS, and not a socket of the file system.
    socket.destroy();
  }
}
