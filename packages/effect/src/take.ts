import { PENDING, type SourceProtocol, waiter } from '@quiesce/cancellation-token';
import { Effect, type Fiber } from 'effect';

/**
 * Takes once from a source, in a fiber. The poll that takes and the step in which the fiber goes on are one synchronous
 * run, so that an interruption finds the value either not taken or delivered.
 *
 * Invariants
 *  1. Polls do not nest: a wake-up that comes inside of a poll or a park asks for another round.
 *  2. Once over (delivered or interrupted) nothing is polled, and the waiter is parked nowhere.
 *  3. No yield of Effect's scheduler comes between a poll and the fiber's next step: an interruption there would find the
 *     value taken, and in nobody's hands. Where one is due, the fiber yields before it polls.
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
  const taking = Effect.callback<A, E>((resume) => {
    let protocol: SourceProtocol<T> | undefined;
    /** Invariant 2. */
    let isOver = false;
    let isBusy = false;
    /** A wake-up has come meanwhile. */
    let isAgain = false;
    const stop = (): void => {
      isOver = true;
      protocol?.unpark(parked);
    };
    const look = (from: SourceProtocol<T>): Effect.Effect<A, E> | undefined => {
      const value = from.poll();
      if (value !== PENDING) return done(value);
      if (isOver) return;
      from.park(parked);
      // Parking may run anything, and who parks on what is ready already need not be woken.
      const second = isOver ? PENDING : from.poll();
      if (second !== PENDING) return done(second);
      if (isOver) from.unpark(parked);
      return;
    };
    const wake = (): void => {
      isAgain = true;
      if (isBusy) return;
      isBusy = true;
      let outcome: Effect.Effect<A, E> | undefined;
      try {
        protocol ??= open();
        while (isAgain && !isOver && outcome === undefined) {
          isAgain = false;
          outcome = look(protocol);
        }
      } catch (error) {
        outcome = failed(error);
      }
      isBusy = false;
      // Without an outcome it waits; when over, it was interrupted by its own poll, and nobody is left.
      if (outcome === undefined || isOver) return;
      stop();
      resume(outcome);
    };
    const parked = waiter(wake);
    wake();
    return Effect.sync(stop);
  });
  return Effect.withFiber((fiber) => (hasRoom(fiber) ? taking : Effect.andThen(Effect.yieldNow, taking)));
}

/** Invariant 3: whether the fiber has so many steps left before its scheduler makes it yield. */
function hasRoom({ cache, currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean {
  return cache.preventYield || currentOpCount + 8 < cache.maxOpsBeforeYield;
}
