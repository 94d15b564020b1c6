/**
 * The state machine of sources that wait within Effect. While waiters are parked, one fiber waits there for all of them.
 *
 * Invariants
 *  1. The fiber runs only while a waiter is parked. When the last waiter leaves, the fiber is interrupted, which takes
 *     nothing.
 *  2. When the fiber ends, the waiters are woken in order, each only while a value is left for it.
 *  3. For waiters that are parked after that round, a new fiber starts, after one run of Effect's scheduler: a waiter that
 *     parks again without taking a value must not keep the thread busy.
 *
 * A `TakeStrategy` defines the wait. Only its `take` consumes.
 */

import type { PENDING, SourceProtocol, Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeWhile } from '@quiesce/internal';
import { Effect, type Exit, type Fiber } from 'effect';

/** Waits for values and takes them. */
export interface TakeStrategy<T> {
  /** Takes a value that is ready. */
  take(): T | typeof PENDING;
  /** Ends when `take` may succeed. An interruption of it takes nothing. */
  readonly ready: Effect.Effect<unknown, unknown>;
  /** Receives the exit of `ready`, before a waiter is woken. */
  onReady(exit: Exit.Exit<unknown, unknown>): void;
  /** Whether a value is left for the next waiter. */
  hasMore(): boolean;
  readonly once?: true;
}

export class TakeSource<T> implements SourceProtocol<T>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once?: true;
  readonly #strategy: TakeStrategy<T>;
  /** Runs while a waiter is parked (invariant 1). */
  #fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined;
  /** Set during the round of invariant 2. A waiter that parks then is handled at its end. */
  #isWaking = false;

  constructor(strategy: TakeStrategy<T>) {
    this.#strategy = strategy;
    if (strategy.once) this.once = true;
  }

  poll(): T | typeof PENDING {
    return this.#strategy.take();
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#fiber === undefined && !this.#isWaking) this.#start(this.#strategy.ready);
  }

  unpark(waiter: Waiter): void {
    if (!unparkFrom(this, waiter) || this.head !== undefined) return;
    const fiber = this.#fiber;
    this.#fiber = undefined;
    fiber?.interruptUnsafe();
  }

  #start(ready: Effect.Effect<unknown, unknown>): void {
    const fiber = Effect.runFork(ready);
    this.#fiber = fiber;
    fiber.addObserver((exit) => {
      if (this.#fiber !== fiber) return;
      this.#fiber = undefined;
      this.#strategy.onReady(exit);
      this.#isWaking = true;
      wakeWhile(this, () => this.#strategy.hasMore());
      this.#isWaking = false;
      // Invariant 3.
      if (this.head !== undefined) this.#start(Effect.andThen(Effect.yieldNow, this.#strategy.ready));
    });
  }
}
