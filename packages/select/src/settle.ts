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
import { watchPromise } from '@quiesce/internal';
import { type Branch, type BranchFunction, type BranchValue, type Off, releaseBranch } from './branches.ts';
import { FUNCTION, kindFor, MATCH, OFF, protocolOf } from './kinds.ts';
import type { Match } from './match.ts';
import { isRepeated, repeat } from './repeat.ts';

/** The result of a branch: a value or an error. */
export type Settled<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly reason: unknown };

/** The type of the branch that `settle` returns. */
type SettledBranch<B> = B extends Off
  ? B
  : B extends Source<unknown> | AbortSignal | PromiseLike<unknown>
    ? Source<Settled<BranchValue<B>>>
    : (token: CancellationToken) => Promise<Settled<BranchValue<B>>>;

/** Forwards to a protocol, and turns its errors into values. */
class SettledProtocol implements SourceProtocol<Settled<unknown>> {
  readonly #inner: SourceProtocol<unknown>;
  /** Set if the inner protocol is one-shot, and once it is closed: from then on every poll gives the same result. */
  once?: true;

  /** Set if the inner protocol is that of a call. */
  readonly defer?: () => void;

  constructor(inner: SourceProtocol<unknown>) {
    this.#inner = inner;
    if (inner.once) this.once = true;
    if (inner.defer !== undefined) this.defer = () => inner.defer?.();
  }

  poll(): Settled<unknown> | typeof PENDING {
    try {
      const value = this.#inner.poll();
      return value === PENDING ? PENDING : { status: 'fulfilled', value };
    } catch (error) {
      if (isClosedError(error)) this.once = true;
      return { status: 'rejected', reason: error };
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
 * Makes a branch that never fails: an error becomes its value.
 *
 * Use it when one failing branch must not end the `select`.
 *
 * **Timing.** That of the branch. In `selectEach`, a closed stream gives its `ClosedError` once, and is then off.
 *
 * **Cancel safety.** That of the branch. A losing function still rejects with its own cancellation.
 *
 * @param branch a source, a signal, a promise or a function; a branch that is off stays off. To combine it with `match`,
 *   settle first: `match(settle(rx), guard)`
 * @returns a branch whose value is `{ status: 'fulfilled', value }` or `{ status: 'rejected', reason }`
 * @throws TypeError when `branch` cannot be a branch, or is a `match`
 * @see the platform's `Promise.allSettled`
 * @example
 * ```ts
 * const outcome = await select({ disk: settle(Promise.reject('full')) });
 * console.log(outcome.value); // => { status: 'rejected', reason: 'full' }
 * ```
 */
export function settle<const B extends Exclude<Branch, Match<unknown>>>(branch: B): SettledBranch<B> {
  const kind = kindFor('settle', branch);
  if (kind & MATCH) {
    releaseBranch(branch);
    throw new TypeError('settle: settle the branch first, and match its result');
  }
  if (kind === OFF) return branch as never;
  if (kind === FUNCTION) return settled(branch as BranchFunction) as never;
  const inner = protocolOf(branch, kind) ?? watchPromise(branch as PromiseLike<unknown>);
  return { [source]: new SettledProtocol(inner) } as never;
}

function settled(fn: BranchFunction): (token: CancellationToken) => Promise<Settled<unknown>> {
  const settling = async (token: CancellationToken): Promise<Settled<unknown>> => {
    try {
      return { status: 'fulfilled', value: await fn(token) };
    } catch (error) {
      if (isCancellationOf(error, token)) throw error;
      return { status: 'rejected', reason: error };
    }
  };
  return isRepeated(fn) ? repeat(settling) : settling;
}
