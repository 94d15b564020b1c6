import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
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
import { type WaitOptions, withLimits } from './wait-options.ts';

/** Result of {@link Barrier.wait}. */
export interface BarrierWaitResult {
  /** `true` for one task of each round: the last one to arrive. */
  readonly isLeader: boolean;
}

/**
 * Makes tasks wait until a number of them has arrived. It can be used again for the next round.
 *
 * Use it for phases in which every task must finish before the next phase starts. To wait for the end of tasks, use a scope.
 *
 * **Cancel safety.** A `wait` that is given up, or loses in `select`, has not arrived: the others wait for another task. It
 * counts as arrived until its cancellation or its timer is noticed. (In Tokio an arrival still counts when its task is
 * cancelled.)
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
    facts: ({ arrivedCount, partyCount }) => ({ arrivedCount, partyCount }),
  });
  readonly #round: Round;

  /**
   * @param count the number of tasks that have to arrive, 0 or more; 0 counts as 1
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more
   */
  constructor(count: number) {
    checkCount('new Barrier: the number of tasks', count, 0);
    this.#round = new Round(Math.max(1, count));
  }

  /** The number of tasks that have to arrive, at least 1. */
  get partyCount(): number {
    return this.#round.count;
  }

  /** The number of tasks that wait now for the others. */
  get arrivedCount(): number {
    return this.#round.arrived;
  }

  /**
   * Arrives, and waits until all tasks have arrived: await it, or make it a branch of `select`.
   *
   * **Timing.** It counts as arrived while something waits for it. The last one to arrive does not wait: it wakes the others
   * synchronously, and the next round begins.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns one arrival, whose result says whether it was the last of its round
   * @throws TypeError when an option has the wrong type; RangeError when `timeout` is negative or NaN. When awaited:
   *   `TimeoutError`; the reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::Barrier::wait (tokio 1.53)
   */
  wait(options?: WaitOptions): Awaitable<BarrierWaitResult> {
    return new Awaitable(withLimits(new Arrival(this.#round), options, 'wait'));
  }
}

/** The arrivals of the current round. Invariant: fewer than `count`. */
class Round implements WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly count: number;
  arrived = 0;

  constructor(count: number) {
    this.count = count;
  }

  /** Ends the round with its last arrival. All arrivals have their answers before the first one is woken. */
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
  /** The waiters of this arrival. It counts in its round exactly while there is one, until it has its answer. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #round: Round;
  #isWaking = false;
  /** Set once, by the last arrival of the round. */
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
    // A call between its poll and this may have ended the round, or made this arrival the last one.
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

  /** Wakes its waiters. One that parks again without a poll is not woken again. */
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
