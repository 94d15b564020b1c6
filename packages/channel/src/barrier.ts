import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import {
  checkCount,
  defineHandle,
  parkOn,
  reserveStack,
  unparkFrom,
  type WaiterItem,
  type WaiterList,
  wakeAll,
} from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/** How a task has passed a {@link Barrier}. */
export interface BarrierWaitResult {
  /** `true` for one task of each round: the last one to arrive. */
  readonly isLeader: boolean;
}

/**
 * Makes tasks wait until a number of them has arrived. It can be used again for the next round.
 *
 * Use it for phases in which every task must have finished before any goes on. To wait for the end of tasks, use a scope.
 *
 * **Cancel safety.** A `wait` that is given up, or loses in `select`, has not arrived: the others wait for another one.
 * It has arrived until its cancellation or its timer is noticed. (In Tokio an arrival counts although its task was cancelled.)
 *
 * **Fairness.** The waiters of a round are woken in the order of their arrival.
 *
 * @see tokio::sync::Barrier (tokio 1.53)
 * @example
 * ```ts
 * const barrier = new Barrier(2);
 * const arrive = async (name: string): Promise<void> => {
 *   const { isLeader } = await barrier.wait();
 *   console.log(name, isLeader);
 * };
 * await Promise.all([arrive('first'), arrive('last')]);
 * // => first false
 * // => last true
 * ```
 */
export class Barrier {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Barrier, {
    name: 'barrier',
    owns: (value) => #round in value,
    facts: ({ arrivedCount, count }) => ({ arrivedCount, count }),
  });
  readonly #round: Round;

  /**
   * @param count how many tasks have to arrive, 0 or more; 0 counts as 1
   * @throws RangeError when `count` is not an integer of 0 or more
   */
  constructor(count: number) {
    checkCount('new Barrier: the number of tasks', count, 0);
    this.#round = new Round(Math.max(1, count));
  }

  /** How many tasks have to arrive, at least 1. */
  get count(): number {
    return this.#round.count;
  }

  /** How many tasks wait now for the others. */
  get arrivedCount(): number {
    return this.#round.arrived;
  }

  /**
   * Arrives, and waits until all have: await it, or make it a branch of `select`.
   *
   * **Timing.** It has arrived while something waits for it. The last one to arrive does not wait: it wakes the others
   * synchronously, and the next round begins.
   *
   * @param options `signal` and `timeout` (ms) give it up; the time runs from this call
   * @returns one arrival, which says whether it was the last of its round
   * @throws TypeError when `signal` is no signal; RangeError when `timeout` is no time. When awaited: `TimeoutError`; the
   *   reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::Barrier::wait (tokio 1.53)
   */
  wait(options?: WaitOptions): Awaitable<BarrierWaitResult> {
    return new Awaitable(withLimits(new Arrival(this.#round), options, 'wait'));
  }
}

/** Those who have arrived since the last time that all had. Invariant: fewer than `count`. */
class Round implements WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly count: number;
  arrived = 0;

  constructor(count: number) {
    this.count = count;
  }

  /** The last one is there: everybody has an answer before the first one is woken. */
  release(last: Arrival): void {
    if (this.head !== undefined) reserveStack();
    this.arrived = 0;
    last.answer = { isLeader: true };
    const released: WaiterList = { head: undefined };
    for (let arrival = this.head; arrival !== undefined; arrival = this.head) {
      unparkFrom(this, arrival as Arrival);
      (arrival as Arrival).answer = { isLeader: false };
      parkOn(released, arrival as Arrival);
    }
    wakeAll(released);
    last.wake();
  }
}

/** One arrival, as a source with one answer. */
class Arrival implements SourceProtocol<BarrierWaitResult>, WaiterList, Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** What is parked on this arrival. It counts in its round exactly while there is something, until it has its answer. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #round: Round;
  #isWaking = false;
  /** Set once, by the last one of the round. */
  answer: BarrierWaitResult | typeof PENDING = PENDING;

  constructor(round: Round) {
    this.#round = round;
  }

  poll(): BarrierWaitResult | typeof PENDING {
    if (this.answer === PENDING && this.#isLast) this.#round.release(this);
    return this.answer;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    const round = this.#round;
    // A call between its poll and this may have ended the round, or made it the last one of it.
    if (this.answer !== PENDING) this.wake();
    else if (this.#isLast) round.release(this);
    else if (this.owner !== round) {
      parkOn(round, this);
      round.arrived++;
    }
  }

  unpark(waiter: Waiter): void {
    if (!unparkFrom(this, waiter) || this.head !== undefined) return;
    if (unparkFrom(this.#round, this)) this.#round.arrived--;
  }

  /** One that parks again without a poll is not woken again for that. */
  wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    wakeAll(this);
    this.#isWaking = false;
  }

  get #isLast(): boolean {
    return this.owner !== this.#round && this.#round.arrived + 1 >= this.#round.count;
  }
}
