import {
  ClosedError,
  PENDING,
  type Sendable,
  type Source,
  type SourcePromise,
  type Tried,
} from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { defineHandle, refuseExtra, wakeAll } from '@quiesce/internal';
import { OneshotState } from './oneshot-state.ts';
import { refuseUnsendable, tryPoll } from './settle.ts';
import { type WaitOptions, waitWithLimits } from './wait-options.ts';

/**
 * Makes a channel for one value, such as an answer or the result of a task.
 *
 * @returns the sender, and the receiver, which can be awaited and be a branch of `select`
 * @see tokio::sync::oneshot::channel (tokio 1.53)
 * @example
 * ```ts
 * const [reply, answer] = oneshot<number>();
 * console.log(reply.send(42)); // => true
 * console.log(await answer); // => 42
 * ```
 */
export function oneshot<T extends Sendable>(): [tx: OneshotSender<T>, rx: OneshotReceiver<T>];
export function oneshot<T>(extra?: unknown): [tx: OneshotSender<T>, rx: OneshotReceiver<T>] {
  refuseExtra('oneshot', extra, 'write oneshot(), and tx.send(value)');
  const state = new OneshotState<T>();
  return [new OneshotSender(state), new OneshotReceiver(state)];
}

/**
 * Sends one value.
 *
 * @see tokio::sync::oneshot::Sender (tokio 1.53)
 * @example
 * ```ts
 * const [reply, answer] = oneshot<string>();
 * console.log(reply.send('yes'), await answer); // => true yes
 * ```
 */
export class OneshotSender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(OneshotSender, {
    name: 'sender',
    owns: (value) => #state in value,
    dispose: 'close',
    facts: ({ isClosed }) => ({ isClosed }),
  });
  readonly #state: OneshotState<T>;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(state: OneshotState<T>) {
    this.#state = state;
  }

  /**
   * Sends the value.
   *
   * **Timing.** Synchronous, never waits.
   *
   * @param value anything except a thenable
   * @returns whether it can be received. `false` when the receiver was closed; then the caller keeps the value
   * @throws ClosedError when this sender has sent, or was closed; TypeError when the value is a thenable
   * @see tokio::sync::oneshot::Sender::send (tokio 1.53)
   */
  send(value: T): boolean {
    const state = this.#state;
    if (state.isSpent)
      throw new ClosedError('send: this sender has sent its value, or was closed; create a oneshot for each value');
    refuseUnsendable(value, 'send');
    state.isSpent = true;
    if (state.isClosed) return false;
    state.value = value;
    wakeAll(state);
    return true;
  }

  /** Waits until the receiver is closed: await it, or make it a branch of `select`. Each `await` parks a waiter until then. */
  closed(): Awaitable<void> {
    return new Awaitable(this.#state.closing);
  }

  /** Whether it can send no more: it has sent or was closed, or the receiver was closed. */
  get isClosed(): boolean {
    return this.#state.isSpent || this.#state.isClosed;
  }

  /** Gives up sending: the receiver fails with `ClosedError`. Synchronous, idempotent. Does nothing after `send`. */
  close(): void {
    if (this.#state.isSpent) return;
    this.#state.isSpent = true;
    wakeAll(this.#state);
  }
}

/**
 * Receives one value: await it, or make it a branch of `select`. It keeps the value, as a promise does.
 *
 * **Cancel safety.** Waiting for it takes nothing from it.
 *
 * @see tokio::sync::oneshot::Receiver (tokio 1.53)
 * @example
 * ```ts
 * const [reply, answer] = oneshot<string>();
 * reply.close(); // without an answer
 * await answer.then(undefined, (error) => console.log(isClosedError(error))); // => true
 * ```
 */
export class OneshotReceiver<T> implements PromiseLike<T>, Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(OneshotReceiver, {
    name: 'receiver',
    owns: (value) => #state in value,
    source: (receiver) => receiver.#state,
    dispose: 'close',
    unguarded: ['then'],
    facts: ({ isEmpty }) => ({ isEmpty }),
  });
  readonly #state: OneshotState<T>;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(state: OneshotState<T>) {
    this.#state = state;
  }

  /** Called by `await`. Rejects with `ClosedError` when no value can arrive. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.recv().then(onFulfilled, onRejected);
  }

  /**
   * Receives the value. Unlike an `await`, it can be given up.
   *
   * @param options `signal` and `timeout` (ms)
   * @throws ClosedError when the sender was closed without sending, or this receiver was closed before; `TimeoutError`;
   *   the reason, verbatim, when `signal` is cancelled; TypeError when an option has the wrong type; RangeError when
   *   `timeout` is negative or NaN
   */
  recv(options?: WaitOptions): SourcePromise<T> {
    return waitWithLimits(this.#state, options, 'recv');
  }

  /**
   * Returns the value if it has been sent. Never waits.
   *
   * @returns `{ ok: true, value }`, or `{ ok: false, why }`: `empty`, or `closed` when no value can arrive any more
   * @see tokio::sync::oneshot::Receiver::try_recv (tokio 1.53)
   */
  tryRecv(): Tried<T, 'empty' | 'closed'> {
    return tryPoll(this.#state);
  }

  /**
   * Whether no value has been sent. It does not show whether the sender was closed: see `tryRecv`.
   *
   * @see tokio::sync::oneshot::Receiver::is_empty (tokio 1.53). There a received value is gone; here it stays
   * @example
   * ```ts
   * const [reply, answer] = oneshot<string>();
   * console.log(answer.isEmpty); // => true
   * reply.send('yes');
   * console.log(answer.isEmpty); // => false
   * ```
   */
  get isEmpty(): boolean {
    return this.#state.value === PENDING;
  }

  /**
   * Refuses the value. One that was sent before can still be received. Synchronous, idempotent.
   *
   * @see tokio::sync::oneshot::Receiver::close (tokio 1.53)
   * @example
   * ```ts
   * const [reply, answer] = oneshot<string>();
   * answer.close();
   * console.log(reply.isClosed, reply.send('too late')); // => true false
   * ```
   */
  close(): void {
    if (this.#state.isClosed) return;
    this.#state.isClosed = true;
    wakeAll(this.#state.closing);
    wakeAll(this.#state);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface OneshotReceiver<T> extends Source<T> {}
