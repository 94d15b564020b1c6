import {
  checkKind,
  ignore,
  isPromise,
  isThenable,
  PromiseSource,
  recallPromise,
  rememberPromise,
  watchPromise,
} from '@quiesce/internal';
import type { Awaitable } from './awaitable.ts';
import { consumeBudget, consumeSlice } from './budget.ts';
import { isCausedBy } from './errors.ts';
import { isSource, PENDING, protocolOf, type SourceProtocol, source, waiter } from './source.ts';
import type { CancellationToken } from './token.ts';
import { type UntilCancelled, UntilCancelledSource } from './until-cancelled-source.ts';
import { afterYield, wait } from './wait.ts';

type Work = PromiseLike<unknown> | ((token: CancellationToken) => unknown);

/** Implements `token.runUntilCancelled`, on promises. */
export async function runUntilCancelled(token: CancellationToken, work: Work): Promise<UntilCancelled<unknown>> {
  // `rx.recv()` and `lock.acquire()` take nothing when the token wins. `cancelled()` has another value as a source.
  if (isSource(work) && !(work as Partial<Awaitable<unknown>>).isSilent) {
    return wait({ [source]: new UntilCancelledSource(token[source], protocolOf(work, 'runUntilCancelled')) });
  }
  const isPromised = isThenable(work);
  checkKind(isPromised || typeof work === 'function', 'runUntilCancelled', 'a promise or a function', work);
  // The token's protocol and not its state: a disposed token shares the state of its parent.
  const reason = token[source].poll();
  if (reason !== PENDING) {
    // A promise has started already, and its rejection is handled. A thenable may start only when `then` is called.
    if (isPromise(work)) watchPromise(work);
    const yielding = consumeBudget();
    if (yielding !== undefined) await yielding;
    return { status: 'cancelled', reason };
  }
  if (isPromised) return race(token[source], work);
  const own = token.childToken();
  try {
    return { status: 'fulfilled', value: await work(own) };
  } catch (error) {
    if (!own.isCancelled || !isCausedBy(error, own.reason)) throw error;
    return { status: 'cancelled', reason: own.reason };
  } finally {
    own.dispose();
    // CPU-bound work in a loop must not starve the event loop.
    const yielding = consumeSlice();
    if (yielding !== undefined) await yielding;
  }
}

/**
 * Races the token against the work, with one waiter on each. The loser's waiter is unparked, so that a long-lived token or
 * promise retains nothing.
 */
function race(token: SourceProtocol<unknown>, work: PromiseLike<unknown>): Promise<UntilCancelled<unknown>> {
  return new Promise((resolve, reject) => {
    const promise = recallPromise(work) ?? new PromiseSource(work);
    const workSettled = (): void => {
      token.unpark(onToken);
      // The work behind the promise may be CPU-bound, too.
      try {
        const value = promise.poll();
        afterYield(() => resolve({ status: 'fulfilled', value }), consumeSlice());
      } catch (error) {
        afterYield(() => reject(error), consumeSlice());
      }
    };
    const decide = (): void => {
      if (promise.isSettled) return;
      const reason = token.poll();
      if (reason === PENDING) {
        token.park(onToken);
        return;
      }
      promise.unpark(onWork);
      rememberPromise(work, promise);
      afterYield(() => resolve({ status: 'cancelled', reason }));
    };
    // Two microtasks later, because the reaction of work that settles in the same synchronous run is queued after this one.
    const wake = (): void => void Promise.resolve().then(ignore).then(decide);
    const onToken = waiter(wake);
    const onWork = waiter(workSettled);
    if (promise.isSettled) {
      workSettled();
      return;
    }
    promise.park(onWork);
    token.park(onToken);
    // Parking may run any code, including a cancellation: see the head of source.ts.
    if (token.poll() !== PENDING) wake();
  });
}
