import { ClosedError, consumeBudget, source, type Tried, wait } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkCount, checkKind, defineHandle, misused, show } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { handleClosed, SendError } from './errors.ts';
import { Permit } from './permit.ts';
import { Acquire, type PermitQueue } from './permit-queue.ts';
import { Permits } from './permits.ts';
import { sendWhenRoom } from './send-waiter.ts';
import { failed, refuseUnsendable } from './settle.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';
import { WeakSender } from './weak-sender.ts';

/** Returned by most sends: a fulfilled promise retains nothing of the code that awaits it. */
const SENT = Promise.resolve();

/**
 * Sends values to the receiver of its channel. The channel ends when its last sender is closed and it is drained.
 *
 * **Cancel safety.** A `send` or `reserve` that is given up has sent nothing, and has left the queue.
 *
 * **Fairness.** Room is given first come, first served, to sends and reservations alike. `trySend` does not overtake
 * either.
 *
 * @see tokio::sync::mpsc::Sender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * await tx.send('first');
 * console.log(tx.trySend('second')); // => { ok: false, why: 'full' }
 * const waiting = tx.send('second');
 * console.log(await rx.recv()); // => first
 * await waiting;
 * console.log(await rx.recv()); // => second
 * ```
 */
export class Sender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Sender, {
    name: 'sender',
    dispose: 'close',
    unguarded: ['send', 'trySend'],
    owns: (value) => Sender.#owns(value),
    facts: ({ capacity, maxCapacity, isClosed, strongCount }) => ({ capacity, maxCapacity, isClosed, strongCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #room in Object(value);
  }
  readonly #channel: ChannelState<T>;
  readonly #room: PermitQueue;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>, room: PermitQueue) {
    this.#channel = channel;
    this.#room = room;
    channel.senders++;
  }

  /**
   * Sends a value, and waits until there is room for it.
   *
   * **Timing.** When there is room, the value is in the channel before this returns. Otherwise it enters the channel inside
   * the `recv` that makes room, even if this sender is closed during the wait. A failed send has sent nothing.
   *
   * @param value anything except a thenable
   * @param options `signal` and `timeout` (ms) give up the send while it waits
   * @throws {@link SendError} with the value when the receiver is closed, before or during the wait; `TimeoutError`; the
   *   reason, verbatim, when `signal` is cancelled; `ClosedError` when this sender was closed; TypeError when the value
   *   is a thenable or an option has the wrong type; RangeError when `timeout` is negative or NaN
   * @see tokio::sync::mpsc::Sender::send and send_timeout (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = channel<number>(1);
   * await tx.send(1);
   * let isSent = false;
   * const second = tx.send(2).then(() => (isSent = true));
   * console.log(isSent, await rx.recv()); // => false 1
   * await second;
   * console.log(isSent, await rx.recv()); // => true 2
   * ```
   */
  send(value: T, options?: WaitOptions): Promise<void> {
    try {
      if (!Sender.#owns(this)) throw misused(Sender.prototype, 'sender', 'send', this);
      if (this.#isClosed) throw handleClosed('send', 'sender');
      refuseUnsendable(value, 'send');
      if (options !== undefined) return this.#sendWithin(value, options);
    } catch (error) {
      return failed(error);
    }
    const channel = this.#channel;
    if (this.#room.tryAcquire(1)) {
      channel.push(value);
      return consumeBudget() ?? SENT;
    }
    return sendWhenRoom(channel, this.#room, value);
  }

  #sendWithin(value: T, options: WaitOptions): Promise<void> {
    const push = (): void => this.#channel.push(value);
    const acquire = new Acquire(this.#room, 1, push, () => new SendError(value));
    return wait({ [source]: withLimits(acquire, options, 'send') });
  }

  /**
   * Sends a value if there is room now and nothing waits for it. Never waits.
   *
   * @param value anything except a thenable
   * @returns `{ ok: true }`, or `{ ok: false, why }`: `full`, or `closed` by the receiver
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
   * @see tokio::sync::mpsc::Sender::try_send (tokio 1.53)
   */
  trySend(value: T): Tried<void, 'full' | 'closed'> {
    if (!Sender.#owns(this)) throw misused(Sender.prototype, 'sender', 'trySend', this);
    if (this.#isClosed) throw handleClosed('trySend', 'sender');
    refuseUnsendable(value, 'trySend');
    if (!this.#room.tryAcquire(1)) return { ok: false, why: this.#channel.isClosed ? 'closed' : 'full' };
    this.#channel.push(value);
    return { ok: true, value: undefined };
  }

  /**
   * Waits for room before there is a value: await it, or make it a branch of `select`, so that a send can be one.
   *
   * **Timing.** It is in the queue only while something waits for it. The first poll that finds room makes the permit, once.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns a wait that fulfils with a {@link Permit}
   * @throws ClosedError when this sender was closed; TypeError when an option has the wrong type; RangeError when
   *   `timeout` is negative or NaN. When awaited: `ClosedError` when the receiver is closed; `TimeoutError`; the reason,
   *   verbatim
   * @see tokio::sync::mpsc::Sender::reserve_owned (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = channel<string>(1);
   * const outcome = await select({ room: tx.reserve(), stopped: new CancellationToken() });
   * if (outcome.branch === 'room') outcome.value.send('made when there was room for it');
   * console.log(await rx.recv()); // => made when there was room for it
   * ```
   */
  reserve(options?: WaitOptions): Awaitable<Permit<T>> {
    if (this.#isClosed) throw handleClosed('reserve', 'sender');
    return this.#reserve('reserve', 1, () => new Permit(this.#channel), options);
  }

  /**
   * Waits for room for several values at once. Otherwise as `reserve`.
   *
   * @param count the number of values, from 0 to `maxCapacity`
   * @param options as for `reserve`
   * @returns a wait that fulfils with {@link Permits}
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer from 0 to `maxCapacity`;
   *   otherwise as `reserve`
   * @see tokio::sync::mpsc::Sender::reserve_many (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = channel<string>(2);
   * for (const permit of await tx.reserveMany(2)) permit.send('both or none');
   * console.log(rx.length); // => 2
   * ```
   */
  reserveMany(count: number, options?: WaitOptions): Awaitable<Permits<T>> {
    if (this.#isClosed) throw handleClosed('reserveMany', 'sender');
    this.#checkCount('reserveMany', count);
    return this.#reserve('reserveMany', count, () => new Permits(this.#channel, count), options);
  }

  #reserve<P>(call: string, count: number, make: () => P, options: WaitOptions | undefined): Awaitable<P> {
    const closedError = (): ClosedError =>
      new ClosedError(`${call}: the receiver of this channel is closed, or the channel has ended`);
    return new Awaitable(withLimits(new Acquire(this.#room, count, make, closedError), options, call));
  }

  /**
   * Takes a permit if there is room now and nothing waits for it. Never waits.
   *
   * @returns `{ ok: true, value: permit }`, or `{ ok: false, why }`: `full`, or `closed` by the receiver
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::mpsc::Sender::try_reserve_owned (tokio 1.53)
   */
  tryReserve(): Tried<Permit<T>, 'full' | 'closed'> {
    if (this.#isClosed) throw handleClosed('tryReserve', 'sender');
    if (this.#room.tryAcquire(1)) return { ok: true, value: new Permit(this.#channel) };
    return { ok: false, why: this.#channel.isClosed ? 'closed' : 'full' };
  }

  /**
   * Takes several permits if there is room for all now and nothing waits for it. Never waits.
   *
   * @param count the number of permits, from 0 to `maxCapacity`
   * @returns `{ ok: true, value: permits }`, or `{ ok: false, why }`: `full`, or `closed` by the receiver
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer from 0 to `maxCapacity`;
   *   ClosedError when this sender was closed
   * @see tokio::sync::mpsc::Sender::try_reserve_many (tokio 1.53)
   */
  tryReserveMany(count: number): Tried<Permits<T>, 'full' | 'closed'> {
    if (this.#isClosed) throw handleClosed('tryReserveMany', 'sender');
    this.#checkCount('tryReserveMany', count);
    if (this.#room.tryAcquire(count)) return { ok: true, value: new Permits(this.#channel, count) };
    return { ok: false, why: this.#channel.isClosed ? 'closed' : 'full' };
  }

  /**
   * Makes another sender of the same channel, which is closed separately.
   *
   * @throws ClosedError when this sender was closed
   */
  clone(): Sender<T> {
    if (this.#isClosed) throw handleClosed('clone', 'sender');
    return new Sender(this.#channel, this.#room);
  }

  /**
   * Makes a weak sender, which does not keep the channel open.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::mpsc::Sender::downgrade (tokio 1.53)
   */
  downgrade(): WeakSender<Sender<T>> {
    if (this.#isClosed) throw handleClosed('downgrade', 'sender');
    return new WeakSender(this.#channel as ChannelState<never>, () => new Sender(this.#channel, this.#room));
  }

  /**
   * Waits until the receiver is closed: await it, or make it a branch of `select`. Each `await` parks a waiter until then.
   *
   * @see tokio::sync::mpsc::Sender::closed (tokio 1.53)
   */
  closed(): Awaitable<void> {
    return new Awaitable(this.#channel.closing);
  }

  /** Whether it can send no more: it was closed, or the receiver was closed or disposed. */
  get isClosed(): boolean {
    return this.#isClosed || this.#channel.isClosed;
  }

  /** The number of values for which there is room that nothing waits for. */
  get capacity(): number {
    return this.#room.available;
  }

  /** The number of values that fit into the empty channel. */
  get maxCapacity(): number {
    return this.#channel.capacity;
  }

  /** The number of open senders. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** @internal */
  get channel(): ChannelState<T> {
    return this.#channel;
  }

  /** Returns whether both send to the same receiver. */
  sameChannel(other: Sender<T>): boolean {
    checkKind(other?.channel !== undefined, 'sameChannel', 'a sender', other);
    return this.#channel === other.channel;
  }

  /**
   * Closes this sender; sends that wait are not affected. After the last sender is closed, the receiver drains the channel
   * and then gets `ClosedError`. Synchronous, idempotent.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#channel.removeSender();
  }

  #checkCount(call: string, count: number): void {
    checkCount(`${call}: the number of permits`, count, 0);
    if (count <= this.maxCapacity) return;
    throw new RangeError(`${call}: the channel has room for ${this.maxCapacity} values in all, got ${show(count)}`);
  }
}
