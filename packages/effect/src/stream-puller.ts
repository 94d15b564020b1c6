/**
 * Pulls a stream on demand.
 *
 *     IDLE ──(poll or park, empty buffer)──► PULLING ──► a chunk is buffered ──► IDLE
 *                                               │
 *                                               └─► ENDED: done, failed, or closed; the scope of the stream is closed
 *
 * Invariants
 *  1. At most one fiber pulls, and only while the buffer is empty.
 *  2. Values that were pulled and not taken stay buffered, in order, for the next poll.
 *  3. When the stream ends or fails, its finalizers run before a poll throws. After `close` was called, every poll throws at
 *     once.
 *  4. A failure is thrown once, from a poll or from `close`. Every later poll throws `ClosedError`.
 */

import { ClosedError, PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeWhile } from '@quiesce/internal';
import { Cause, type Context, Effect, Exit, Fiber, Scope, Stream } from 'effect';
import { errorFromCause, failuresOf } from './cause.ts';

type Chunk<A> = readonly [A, ...A[]];

export class StreamPuller<A> implements SourceProtocol<A>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly #scope: Scope.Closeable = Scope.makeUnsafe();
  readonly #start: (effect: Effect.Effect<Chunk<A>, unknown>) => Fiber.Fiber<Chunk<A>, unknown>;
  /** Pulls the next chunk. The first pull opens the stream. */
  #pull: Effect.Effect<Chunk<A>, unknown>;
  /** The fiber while PULLING, or `undefined` in every other state. */
  #fiber: Fiber.Fiber<Chunk<A>, unknown> | undefined = undefined;
  /** Set while a new pull runs to its first wait. */
  #isStarting = false;
  #chunk: readonly A[] = [];
  /** How many values of the chunk have been taken. */
  #takenCount = 0;
  #isEnded = false;
  /** A failure that was not thrown yet (invariant 4), or `undefined`. */
  #failure: { readonly error: unknown } | undefined = undefined;
  /** Set while waiters are being woken. */
  #isWaking = false;
  /** The result of `close`, or `undefined` before its first call. */
  #closing: Promise<void> | undefined = undefined;

  constructor(stream: Stream.Stream<A, unknown, never>, context: Context.Context<never>) {
    this.#start = Effect.runForkWith(context);
    const open = Effect.provideService(Stream.toPull(stream), Scope.Scope, this.#scope);
    this.#pull = Effect.flatMap(open, (pull) => {
      this.#pull = this.#withClose(pull);
      return pull;
    });
    this.#pull = this.#withClose(this.#pull);
  }

  poll(): A | typeof PENDING {
    if (this.#fill()) return this.#take();
    return PENDING;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    // A value of the pull that starts here wakes the waiter.
    if (!this.#isWaking && this.#fill()) this.#wake();
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#isEnded) {
      this.#isEnded = true;
      // The stream itself may call `close`, in a pull that was started in this synchronous run.
      await undefined;
      const fiber = this.#fiber;
      this.#fiber = undefined;
      const exit = await Effect.runPromiseExit(Effect.andThen(interrupted(fiber), Scope.close(this.#scope, Exit.void)));
      if (Exit.isFailure(exit) && failuresOf(exit.cause).length > 0)
        this.#failure = { error: errorFromCause(exit.cause) };
    }
    this.#chunk = [];
    this.#takenCount = 0;
    const failure = this.#failure;
    this.#failure = undefined;
    this.#wake();
    if (failure !== undefined) throw failure.error;
  }

  /** Closes the stream's scope as soon as it has failed or ended (invariant 3). */
  #withClose(pull: Effect.Effect<Chunk<A>, unknown>): Effect.Effect<Chunk<A>, unknown> {
    return Effect.onExit(pull, (exit) => (Exit.isFailure(exit) ? Scope.close(this.#scope, exit) : Effect.void));
  }

  #take(): A {
    if (this.#takenCount < this.#chunk.length) return this.#chunk[this.#takenCount++] as A;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    throw new ClosedError('The stream has ended: no more values will come');
  }

  /** Returns whether a value is buffered or the stream has ended. Otherwise a pull is running afterwards. */
  #fill(): boolean {
    if (this.#takenCount < this.#chunk.length || this.#isEnded) return true;
    if (this.#fiber !== undefined || this.#isStarting) return false;
    // The stream itself may poll this source.
    this.#isStarting = true;
    const fiber = this.#start(this.#pull);
    this.#isStarting = false;
    const exit = fiber.pollUnsafe();
    if (exit !== undefined) {
      this.#onPulled(exit);
      // The stream itself may have parked a waiter, for which no value was ready then.
      if (this.head !== undefined && !this.#isWaking) queueMicrotask(() => this.#wake());
      return true;
    }
    this.#fiber = fiber;
    fiber.addObserver((exit) => {
      if (this.#fiber !== fiber) return;
      this.#fiber = undefined;
      this.#onPulled(exit);
      this.#wake();
    });
    return false;
  }

  #onPulled(exit: Exit.Exit<Chunk<A>, unknown>): void {
    this.#takenCount = 0;
    this.#chunk = [];
    if (Exit.isSuccess(exit)) {
      if (!this.#isEnded) this.#chunk = exit.value;
      return;
    }
    this.#isEnded = true;
    const failures = exit.cause.reasons.filter((reason) => !(Cause.isFailReason(reason) && Cause.isDone(reason.error)));
    if (failures.length > 0) this.#failure = { error: errorFromCause(Cause.fromReasons(failures)) };
  }

  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    wakeWhile(this, () => this.#fill());
    this.#isWaking = false;
    // A waiter that parked during the round waits for the next pull. When that has already ended, it gets a round of its own.
    if (this.head !== undefined && this.#fill()) queueMicrotask(() => this.#wake());
  }
}

/** Interrupts a running pull, and fails with its failure. */
function interrupted(fiber: Fiber.Fiber<unknown, unknown> | undefined): Effect.Effect<void, unknown> {
  if (fiber === undefined) return Effect.void;
  const ended = Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber));
  return Effect.flatMap(ended, (exit) => (Exit.isFailure(exit) ? exit : Effect.void));
}
