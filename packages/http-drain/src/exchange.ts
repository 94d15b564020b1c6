import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { type Carrier, cut } from './cut.ts';
import type { Machine } from './machine.ts';

/** How an exchange ended. */
type Ending = 'completed' | 'aborted';

/**
 * One request until its response has ended, one stream of HTTP/2, or one upgraded socket until it is closed.
 *
 * It is in flight from its making to its `end`, which counts once.
 */
export class Exchange {
  readonly #method: string | undefined;
  readonly #url: string | undefined;
  readonly #machine: Machine;
  readonly #carrier: Carrier;
  /** Made when first asked for; disposed by `end`. */
  #token: CancellationToken | undefined = undefined;
  /** How it ended; `undefined`: it is in flight. Set once, by `end`. */
  #ending: Ending | undefined = undefined;
  /** Set by `refuse`: it is counted as refused, and not as completed. */
  #isRefused = false;

  constructor(
    machine: Machine,
    keys: readonly object[],
    carrier: Carrier,
    method: string | undefined,
    url: string | undefined,
  ) {
    this.#machine = machine;
    this.#carrier = carrier;
    this.#method = method;
    this.#url = url;
    machine.inFlight.add(this);
    for (const key of keys) machine.exchanges.set(key, this);
  }

  /** For reports: `GET /path`. Made when needed, which is for few. */
  get what(): string {
    return `${this.#method ?? '?'} ${(this.#url ?? '?').replace(/[?#].*/s, '')}`;
  }

  /** Cancelled when the client has gone, and at the deadline. */
  get token(): CancellationToken {
    this.#token ??= this.#born();
    return this.#token;
  }

  refuse(): void {
    this.#isRefused = true;
    this.#machine.tally.refused++;
  }

  /** Ends what it came on, so that its client notices. */
  cutOff(): void {
    cut(this.#carrier);
  }

  /** Nothing more will happen to it. Idempotent. */
  end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    const { tally, phase, isDestroying } = this.#machine;
    if (isDestroying && ending === 'aborted') tally.cutOff.push(this.what);
    else if (phase !== 'running' && !(this.#isRefused && ending === 'completed')) tally[ending]++;
    this.#machine.inFlight.delete(this);
    if (ending === 'aborted') this.#token?.cancel(gone());
    this.#token?.dispose();
  }

  #born(): CancellationToken {
    if (this.#ending === 'aborted') return CancellationToken.alreadyCancelled(gone());
    const token = this.#machine.cut.childToken({ name: this.what });
    if (this.#ending !== undefined) token.dispose();
    return token;
  }
}

/**
 * The exchange of a request, or of a stream. A listener may hand a request on in a proxy or in an object of its own, with the same
 * `rawHeaders` or the same response.
 */
export function exchangeOf({ exchanges }: Machine, request: unknown, response?: object): Exchange | undefined {
  const { rawHeaders, stream } = Object(request) as { readonly rawHeaders?: object; readonly stream?: object };
  for (const key of [request, rawHeaders, response, stream]) {
    const exchange = key === Object(key) ? exchanges.get(key as object) : undefined;
    if (exchange !== undefined) return exchange;
  }
  return undefined;
}

function gone(): CancelledError {
  return new CancelledError('The client went away before its response had ended', { source: 'signal' });
}
