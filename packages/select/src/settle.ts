import {
  type CancellationToken,
  isCancellationOf,
  isClosedError,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import type { Branch, BranchFunction, BranchValue, Off } from './branches.ts';
import { FUNCTION, kindFor, MATCH, OFF } from './kinds.ts';
import { protocolOf } from './look.ts';
import type { Match } from './match.ts';
import { handleOne } from './refused.ts';
import { isRepeated, repeat } from './repeat.ts';
import { watch } from './watched.ts';

/** What came of a branch: a value, or a failure. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** The branch that `settle` makes of another one. */
type SettledBranch<B> = B extends Off
  ? B
  : B extends Source<unknown> | AbortSignal | PromiseLike<unknown>
    ? Source<Settled<BranchValue<B>>>
    : (token: CancellationToken) => Promise<Settled<BranchValue<B>>>;

/** Passes everything on to a protocol, and makes values of its failures. */
class Settling implements SourceProtocol<Settled<unknown>> {
  readonly #inner: SourceProtocol<unknown>;
  /** As of the inner one; and once that is closed, since it then answers the same for ever. */
  once?: true;

  /** As of the inner one, if that is a call. */
  readonly defer?: () => void;

  constructor(inner: SourceProtocol<unknown>) {
    this.#inner = inner;
    if (inner.once) this.once = true;
    if (inner.defer !== undefined) this.defer = () => inner.defer?.();
  }

  poll(): Settled<unknown> | typeof PENDING {
    try {
      const value = this.#inner.poll();
      return value === PENDING ? PENDING : { ok: true, value };
    } catch (error) {
      if (isClosedError(error)) this.once = true;
      return { ok: false, error };
    }
  }

  park(waiter: Waiter): void {
    this.#inner.park(waiter);
  }

  unpark(waiter: Waiter): void {
    this.#inner.unpark(waiter);
  }
}

/**
 * A branch that never fails: its value says whether there was a value or an error.
 *
 * **Timing.** That of the branch. In `selectEach` a stream that is closed says so once, and is then off.
 *
 * **Cancel safety.** That of the branch. A function that loses and ends with its cancellation still ends so.
 *
 * @param branch a source, a signal, a promise or a function; one that is off stays off. To use it with `match`, settle
 *   first: `match(settle(rx), guard)`
 * @returns a branch whose value is `{ ok: true, value }` or `{ ok: false, error }`
 * @throws TypeError when `branch` cannot be a branch, or is a `match`
 * @see the platform's `Promise.allSettled`
 * @example
 * ```ts
 * const outcome = await select({ disk: settle(Promise.reject('full')) });
 * console.log(outcome.value); // => { ok: false, error: 'full' }
 * ```
 */
export function settle<const B extends Exclude<Branch, Match<unknown>>>(branch: B): SettledBranch<B> {
  const kind = kindFor('settle', branch);
  if (kind & MATCH) {
    handleOne(branch);
    throw new TypeError('settle: settle the branch first, and match what comes out');
  }
  if (kind === OFF) return branch as never;
  if (kind === FUNCTION) return settled(branch as BranchFunction) as never;
  const inner = protocolOf(branch, kind) ?? watch(branch as PromiseLike<unknown>);
  return { [source]: new Settling(inner) } as never;
}

function settled(fn: BranchFunction): (token: CancellationToken) => Promise<Settled<unknown>> {
  const settling = async (token: CancellationToken): Promise<Settled<unknown>> => {
    try {
      return { ok: true, value: await fn(token) };
    } catch (error) {
      if (isCancellationOf(error, token)) throw error;
      return { ok: false, error };
    }
  };
  return isRepeated(fn) ? repeat(settling) : settling;
}
