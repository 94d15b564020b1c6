import { PENDING, type SourceProtocol, waiter } from '@quiesce/cancellation-token';
import { Effect, type Fiber } from 'effect';

/**
 * Makes an Effect that takes one value from a source. The poll that takes and the fiber's next step are one synchronous run,
 * so that an interruption finds the value either untaken or delivered.
 *
 * Invariants
 *  1. Polls do not nest: a wake-up within a poll or a park requests another round.
 *  2. Once it is over (delivered or interrupted), nothing is polled, and the waiter is not parked.
 *  3. Effect's scheduler does not yield between a poll and the fiber's next step: an interruption there would lose the taken
 *     value. When the fiber has few steps left before a yield, it yields before it polls.
 *
 * @param open returns the protocol, when the Effect runs
 * @param done makes the result of the Effect from a value
 * @param failed makes the result of the Effect from an error
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
    let isPolling = false;
    /** Set by a wake-up that requests a round. */
    let isWoken = false;
    const stop = (): void => {
      isOver = true;
      protocol?.unpark(parked);
    };
    const pollOrPark = (from: SourceProtocol<T>): Effect.Effect<A, E> | undefined => {
      const value = from.poll();
      if (value !== PENDING) return done(value);
      if (isOver) return;
      from.park(parked);
      // Parking may run any code, and a source that is already ready need not wake the waiter.
      const second = isOver ? PENDING : from.poll();
      if (second !== PENDING) return done(second);
      if (isOver) from.unpark(parked);
      return;
    };
    const wake = (): void => {
      isWoken = true;
      if (isPolling) return;
      isPolling = true;
      let outcome: Effect.Effect<A, E> | undefined;
      try {
        protocol ??= open();
        while (isWoken && !isOver && outcome === undefined) {
          isWoken = false;
          outcome = pollOrPark(protocol);
        }
      } catch (error) {
        outcome = failed(error);
      }
      isPolling = false;
      // Without an outcome it waits. When it is over, its own poll interrupted the fiber, and no fiber is left to resume.
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

/** Invariant 3: whether the fiber has enough steps left before the scheduler makes it yield. */
function hasRoom({ cache, currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean {
  return cache.preventYield || currentOpCount + 8 < cache.maxOpsBeforeYield;
}
