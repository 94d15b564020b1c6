import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { Effect } from 'effect';

/**
 * Takes once from a source, in a fiber. The poll that takes and the step in which the fiber goes on are one synchronous
 * run, so that an interruption finds the value either not taken or delivered.
 *
 * Invariants
 *  1. Polls do not nest: a wake-up that comes inside of a poll or a park asks for another round.
 *  2. Once over (delivered or interrupted) nothing is polled, and the waiter is parked nowhere.
 *
 * @param open gives the protocol, when the Effect runs
 * @param done what the Effect ends with for a value
 * @param failed what it ends with for a failure
 */
export function take<T, A, E>(
  open: () => SourceProtocol<T>,
  done: (value: T) => Effect.Effect<A, E>,
  failed: (error: unknown) => Effect.Effect<A, E>,
): Effect.Effect<A, E> {
  return Effect.callback<A, E>((resume) => {
    let protocol: SourceProtocol<T> | undefined;
    /** Invariant 2. */
    let isOver = false;
    let isBusy = false;
    /** A wake-up has come meanwhile. */
    let isAgain = false;
    const end = (outcome: Effect.Effect<A, E>): void => {
      // It was interrupted by its own poll: nobody is left.
      if (isOver) return;
      stop();
      resume(outcome);
    };
    const stop = (): void => {
      isOver = true;
      protocol?.unpark(waiter);
    };
    const look = (from: SourceProtocol<T>): void => {
      const value = from.poll();
      if (value !== PENDING) end(done(value));
      if (isOver) return;
      from.park(waiter);
      // Parking may run anything, and who parks on what is ready already need not be woken.
      const second = isOver ? PENDING : from.poll();
      if (second !== PENDING) end(done(second));
      else if (isOver) from.unpark(waiter);
    };
    const wake = (): void => {
      isAgain = true;
      if (isBusy) return;
      isBusy = true;
      try {
        protocol ??= open();
        while (isAgain && !isOver) {
          isAgain = false;
          look(protocol);
        }
      } catch (error) {
        end(failed(error));
      }
      isBusy = false;
    };
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    wake();
    return Effect.sync(stop);
  });
}
