/**
 * The machine behind sources that wait inside of Effect: while somebody is parked, one fiber waits there for all of them.
 *
 * Invariants
 *  1. The fiber runs only while somebody is parked; the last one who leaves interrupts it, which takes nothing.
 *  2. When the fiber ends the waiters are woken in order, each only while there is something for it.
 *  3. Who is parked after that round is waited for again, after a turn of Effect's scheduler: a waiter that parks again
 *     without taking what is there must not keep the thread.
 *
 * What it waits for is given by `Wait`. Only `take` consumes.
 */

import type { PENDING, SourceProtocol, Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeWhile } from '@quiesce/internal';
import { Effect, type Exit, type Fiber } from 'effect';

/** What is waited for. */
export interface Wait<T> {
  /** Takes what is ready now. */
  take(): T | typeof PENDING;
  /** Ends when `take` is worth while; interrupted, it has taken nothing. */
  readonly ready: Effect.Effect<unknown, unknown>;
  /** Receives what `ready` ended with, before anybody is woken. */
  arrived(exit: Exit.Exit<unknown, unknown>): void;
  /** Whether there is something left for the next waiter. */
  hasMore(): boolean;
  readonly once?: true;
}

export class TakeSource<T> implements SourceProtocol<T>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once?: true;
  readonly #wait: Wait<T>;
  /** Runs while somebody is parked (invariant 1). */
  #fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined;
  /** The round of invariant 2 is under way: who parks is seen at its end. */
  #isWaking = false;

  constructor(wait: Wait<T>) {
    this.#wait = wait;
    if (wait.once) this.once = true;
  }

  poll(): T | typeof PENDING {
    return this.#wait.take();
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#fiber === undefined && !this.#isWaking) this.#start(this.#wait.ready);
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
      this.#wait.arrived(exit);
      this.#isWaking = true;
      wakeWhile(this, () => this.#wait.hasMore());
      this.#isWaking = false;
      // Invariant 3.
      if (this.head !== undefined) this.#start(Effect.andThen(Effect.yieldNow, this.#wait.ready));
    });
  }
}
