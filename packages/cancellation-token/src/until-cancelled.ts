/**
 * The machine of Tokio's `run_until_cancelled`, as a source.
 *
 * Invariants
 *  1. The first poll asks the token, and the work is not touched when that is cancelled.
 *  2. Every later poll asks the work first: on a tie the value wins.
 *  3. The invariants of a wait, at the head of source.ts, hold for the two together; `Pair` keeps them.
 */

import { Pair } from '@quiesce/internal';
import { PENDING, protocolOf, type Source, type SourceProtocol, source, type Waiter } from './source.ts';
import { CancellationToken, type UntilCancelled } from './token.ts';

class Machine<T> implements SourceProtocol<UntilCancelled<T>> {
  /** As of the work; and once the token is cancelled, since the answer is then always the same. */
  once?: true;
  readonly #token: SourceProtocol<unknown>;
  readonly #work: SourceProtocol<T>;
  #isPolled = false;
  readonly #parking: Pair;

  constructor(token: CancellationToken, work: Source<T>) {
    this.#token = token[source];
    this.#work = protocolOf(work, 'untilCancelled');
    if (this.#work.once) this.once = true;
    this.#parking = new Pair(this.#token, this.#work);
  }

  poll(): UntilCancelled<T> | typeof PENDING {
    if (!this.#isPolled) {
      this.#isPolled = true;
      return this.#ask() ?? this.#take();
    }
    const value = this.#take();
    return value === PENDING ? (this.#ask() ?? PENDING) : value;
  }

  park(waiter: Waiter): void {
    this.#parking.park(waiter);
  }

  unpark(waiter: Waiter): void {
    this.#parking.unpark(waiter);
  }

  #ask(): UntilCancelled<T> | undefined {
    const reason = this.#token.poll();
    if (reason === PENDING) return undefined;
    this.once = true;
    return { cancelled: true, reason };
  }

  #take(): UntilCancelled<T> | typeof PENDING {
    const value = this.#work.poll();
    return value === PENDING ? PENDING : { cancelled: false, value };
  }
}

/**
 * A source that takes from `work` until `token` is cancelled; the machine under `token.runUntilCancelled`.
 *
 * **Timing.** Its first poll asks the token, every later one asks the work first, so that on a tie the value wins.
 *
 * **Cancel safety.** As safe as `work`: once cancelled, nothing more is taken from it.
 *
 * @param token the token, or an `AbortSignal`
 * @param work any source
 * @returns a source of `{ cancelled: false, value }` or `{ cancelled: true, reason }`
 * @throws TypeError when `token` is neither a token nor a signal, or `work` no source; when polled, what `work` throws
 * @see tokio_util::sync::CancellationToken::run_until_cancelled (tokio-util 0.7.19)
 * @example
 * ```ts
 * const [stop, job] = [new CancellationToken(), new CancellationToken()];
 * const either = wait(untilCancelled(stop, job));
 * job.cancel('done');
 * console.log(await either); // => { cancelled: false, value: 'done' }
 * ```
 */
export function untilCancelled<T>(token: CancellationToken | AbortSignal, work: Source<T>): Source<UntilCancelled<T>> {
  return { [source]: new Machine(CancellationToken.from(token), work) };
}
