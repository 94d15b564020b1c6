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

  constructor(machine: Machine, key: object, carrier: Carrier, method: string | undefined, url: string | undefined) {
    this.#machine = machine;
    this.#carrier = carrier;
    this.#method = method;
    this.#url = url;
    machine.inFlight.add(this);
    machine.exchanges.set(key, this);
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

function gone(): CancelledError {
  return new CancelledError('The client went away before its response had ended', { source: 'signal' });
}
