import { ClosedError } from '@quiesce/cancellation-token';
import { defineHandle, misused } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { SendError } from './errors.ts';
import { refuseUnsendable } from './settle.ts';

/**
 * Reserves room for one value in a channel. The channel does not end until the permit is used or released.
 *
 * @see tokio::sync::mpsc::OwnedPermit (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * {
 *   using unused = await tx.reserve();
 *   console.log(tx.capacity); // => 0
 * }
 * const permit = await tx.reserve();
 * permit.send('a letter');
 * console.log(await rx.recv(), tx.capacity); // => a letter 1
 * ```
 */
export class Permit<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Permit, {
    name: 'permit',
    dispose: 'release',
    unguarded: ['send', 'release'],
    owns: (value) => Permit.#owns(value),
    facts: (permit) => ({ isUsed: permit.#channel === undefined }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #channel in Object(value);
  }
  /** The channel with the room, or `undefined` when the permit was used or released. */
  #channel: ChannelState<T> | undefined;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>) {
    this.#channel = channel;
  }

  /**
   * Sends a value into the reserved room.
   *
   * **Timing.** Synchronous, never waits. It also works after `rx.close()`: values with reserved room are received.
   *
   * @param value anything except a thenable
   * @throws {@link SendError} with the value when the receiver was disposed; `ClosedError` when the permit was used or
   *   released before; TypeError when the value is a thenable, and then the permit can be used again
   * @see tokio::sync::mpsc::OwnedPermit::send (tokio 1.53)
   */
  send(value: T): void {
    if (!Permit.#owns(this)) throw misused(Permit.prototype, 'permit', 'send', this);
    refuseUnsendable(value, 'send');
    const channel = this.#channel;
    if (channel === undefined) throw new ClosedError('send: this permit was used or released; reserve another one');
    this.#channel = undefined;
    if (!channel.isDisposed) {
      channel.push(value);
      return;
    }
    channel.room?.release(1);
    channel.wakeIfEnded();
    throw new SendError(value);
  }

  /** Gives the room to the next waiter. Synchronous, idempotent. Does nothing after `send`. */
  release(): void {
    if (!Permit.#owns(this)) throw misused(Permit.prototype, 'permit', 'release', this);
    const channel = this.#channel;
    this.#channel = undefined;
    try {
      channel?.room?.releaseSafely(1);
    } catch (error) {
      // The stack has no room, and nothing has changed: a `finally` further up can still release it.
      this.#channel = channel;
      throw error;
    }
    channel?.wakeIfEnded();
  }
}
