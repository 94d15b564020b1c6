import { isThenable } from '@quiesce/internal';
import { Cancelled } from './cancelled.ts';
import { isCausedBy } from './errors.ts';
import { isSource, PENDING, protocolOf, type SourceProtocol, source, type Waiter } from './source.ts';
import type { CancellationToken, UntilCancelled } from './token.ts';
import { UntilCancelledSource } from './until-cancelled-source.ts';
import { wait } from './wait.ts';

type Work = PromiseLike<unknown> | ((token: CancellationToken) => unknown);

/** The machine of `token.runUntilCancelled`, on promises. */
export async function runUntilCancelled(token: CancellationToken, work: Work): Promise<UntilCancelled<unknown>> {
  // `rx.recv()` and `lock.acquire()` take nothing when the token wins. The value of `cancelled()` is another as a source.
  if (isSource(work) && !(work instanceof Cancelled)) {
    return wait({ [source]: new UntilCancelledSource(token[source], protocolOf(work, 'runUntilCancelled')) });
  }
  // The token's protocol and not its state: a disposed one shares the fate of its parent.
  const reason = token[source].poll();
  if (reason !== PENDING) {
    // A promise has been started by others, and its rejection is handled; a thenable may start only when asked.
    if (work instanceof Promise) work.catch(ignore);
    return { cancelled: true, reason };
  }
  if (isThenable(work)) return race(token[source], Promise.resolve(work));
  const own = token.childToken();
  try {
    return { cancelled: false, value: await work(own) };
  } catch (error) {
    if (!own.isCancelled || !isCausedBy(error, own.reason)) throw error;
    return { cancelled: true, reason: own.reason };
  } finally {
    own.dispose();
  }
}

/** The one waiter of a race: unparked when the promise wins, so that a token that lives long keeps nothing. */
function race(token: SourceProtocol<unknown>, work: Promise<unknown>): Promise<UntilCancelled<unknown>> {
  return new Promise((resolve, reject) => {
    const decide = (): void => {
      const reason = token.poll();
      if (reason === PENDING) token.park(waiter);
      else resolve({ cancelled: true, reason });
    };
    // Behind the reaction of work that settles later in the same synchronous run, which is queued one microtask after ours.
    const wake = (): void => void Promise.resolve().then(ignore).then(decide);
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    token.park(waiter);
    // What was called meanwhile, and parking, may run anything, a cancellation too: the head of source.ts.
    if (token.poll() !== PENDING) wake();
    const settled = (end: () => void): void => {
      token.unpark(waiter);
      end();
    };
    work.then(
      (value) => settled(() => resolve({ cancelled: false, value })),
      (error) => settled(() => reject(error)),
    );
  });
}

function ignore(): void {}
