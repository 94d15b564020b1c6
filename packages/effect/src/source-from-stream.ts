/**
 * A stream as a source.
 *
 *     IDLE ──(poll or park, nothing in hand)──► PULLING ──► chunk in hand ──► IDLE
 *                                                  │
 *                                                  └─► ENDED: done, failed, or closed; the stream's scope is closed
 *
 * Invariants
 *  1. At most one fiber pulls, and only while nothing is in hand.
 *  2. What was pulled and not taken stays in hand, in order, whoever asks next.
 *  3. The stream's finalizers have run before anybody learns that it has ended by itself. Once `close` was called every
 *     poll throws at once.
 *  4. A failure is thrown once, from a poll or from `close`; after that every poll throws `ClosedError`.
 */

import { ClosedError, PENDING, type Source, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import {
  checkKind,
  checkOptions,
  defineHandle,
  parkOn,
  unparkFrom,
  type WaiterItem,
  type WaiterList,
  wakeWhile,
} from '@quiesce/internal';
import { Cause, Context, Effect, Exit, Fiber, Scope, Stream } from 'effect';
import { errorFromCause, failuresOf } from './cause.ts';

type Chunk<A> = readonly [A, ...A[]];

class Machine<A> implements SourceProtocol<A>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly #scope: Scope.Closeable = Scope.makeUnsafe();
  readonly #start: (effect: Effect.Effect<Chunk<A>, unknown>) => Fiber.Fiber<Chunk<A>, unknown>;
  /** Gives the next chunk; the first time it opens the stream. */
  #pull: Effect.Effect<Chunk<A>, unknown>;
  /** Set while PULLING. */
  #fiber: Fiber.Fiber<Chunk<A>, unknown> | undefined = undefined;
  /** A pull is being started, and runs to its first wait. */
  #isStarting = false;
  #chunk: readonly A[] = [];
  /** How much of the chunk has been taken. */
  #taken = 0;
  #isEnded = false;
  /** A failure that nobody has seen yet (invariant 4). */
  #failure: { readonly error: unknown } | undefined = undefined;
  /** The waiters are being woken. */
  #isWaking = false;
  /** What `close` gives; set by its first call. */
  #closing: Promise<void> | undefined = undefined;

  constructor(stream: Stream.Stream<A, unknown, never>, context: Context.Context<never>) {
    this.#start = Effect.runForkWith(context);
    const open = Effect.provideService(Stream.toPull(stream), Scope.Scope, this.#scope);
    this.#pull = Effect.flatMap(open, (pull) => {
      this.#pull = this.#ending(pull);
      return pull;
    });
    this.#pull = this.#ending(this.#pull);
  }

  poll(): A | typeof PENDING {
    if (this.#fill()) return this.#take();
    return PENDING;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    // What came by the pull that begins here wakes it.
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
      // The stream itself may close us, in a pull that has begun in this very run.
      await undefined;
      const fiber = this.#fiber;
      this.#fiber = undefined;
      const exit = await Effect.runPromiseExit(Effect.andThen(stopped(fiber), Scope.close(this.#scope, Exit.void)));
      if (Exit.isFailure(exit) && failuresOf(exit.cause).length > 0)
        this.#failure = { error: errorFromCause(exit.cause) };
    }
    this.#chunk = [];
    this.#taken = 0;
    const failure = this.#failure;
    this.#failure = undefined;
    this.#wake();
    if (failure !== undefined) throw failure.error;
  }

  /** Closes the stream's scope as soon as it has failed or ended (invariant 3). */
  #ending(pull: Effect.Effect<Chunk<A>, unknown>): Effect.Effect<Chunk<A>, unknown> {
    return Effect.onExit(pull, (exit) => (Exit.isFailure(exit) ? Scope.close(this.#scope, exit) : Effect.void));
  }

  #take(): A {
    if (this.#taken < this.#chunk.length) return this.#chunk[this.#taken++] as A;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    throw new ClosedError('The stream has ended: nothing more will come');
  }

  /** Whether there is something in hand, or an end; otherwise a pull is under way afterwards. */
  #fill(): boolean {
    if (this.#taken < this.#chunk.length || this.#isEnded) return true;
    if (this.#fiber !== undefined || this.#isStarting) return false;
    // The stream itself may poll us.
    this.#isStarting = true;
    const fiber = this.#start(this.#pull);
    this.#isStarting = false;
    const exit = fiber.pollUnsafe();
    if (exit !== undefined) {
      this.#arrived(exit);
      // The stream itself may have parked somebody, for whom there was nothing then.
      if (this.head !== undefined && !this.#isWaking) queueMicrotask(() => this.#wake());
      return true;
    }
    this.#fiber = fiber;
    fiber.addObserver((exit) => {
      if (this.#fiber !== fiber) return;
      this.#fiber = undefined;
      this.#arrived(exit);
      this.#wake();
    });
    return false;
  }

  #arrived(exit: Exit.Exit<Chunk<A>, unknown>): void {
    this.#taken = 0;
    this.#chunk = [];
    if (Exit.isSuccess(exit)) {
      if (!this.#isEnded) this.#chunk = exit.value;
      return;
    }
    this.#isEnded = true;
    const left = exit.cause.reasons.filter((reason) => !(Cause.isFailReason(reason) && Cause.isDone(reason.error)));
    if (left.length > 0) this.#failure = { error: errorFromCause(Cause.fromReasons(left)) };
  }

  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    wakeWhile(this, () => this.#fill());
    this.#isWaking = false;
    // Who parked meanwhile waits for the next pull, or for a round of its own where that has come already.
    if (this.head !== undefined && this.#fill()) queueMicrotask(() => this.#wake());
  }
}

/** Interrupts a pull that is under way, and fails as it does. */
function stopped(fiber: Fiber.Fiber<unknown, unknown> | undefined): Effect.Effect<void, unknown> {
  if (fiber === undefined) return Effect.void;
  const ended = Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber));
  return Effect.flatMap(ended, (exit) => (Exit.isFailure(exit) ? exit : Effect.void));
}

/**
 * A stream that runs on demand; a branch of `select`, or for `wait`. Close it when it is no longer needed.
 *
 * **Cancel safety.** A branch that loses has taken nothing: what was pulled meanwhile is there for the next poll.
 * @example
 * ```ts
 * import { Stream } from 'effect';
 *
 * const numbers = sourceFromStream(Stream.make(1, 2));
 * const next = await select({ number: numbers, late: sleep(60_000) });
 * console.log(next.branch, next.value); // => number 1
 * await numbers.close();
 * ```
 */
export class StreamSource<A> implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(StreamSource, {
    name: 'source',
    owns: (value) => #machine in value,
    source: (stream) => stream.#machine,
    asyncDispose: 'close',
    facts: () => ({}),
  });
  readonly #machine: SourceProtocol<A> & { close(): Promise<void> };
  /** The same as `close`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /** @internal */
  constructor(machine: Machine<A>) {
    this.#machine = machine;
  }

  /**
   * Ends the stream: interrupts what it is doing, runs its finalizers, and drops what was pulled and not taken.
   *
   * **Timing.** Settles when every finalizer has run. Further calls give the same end.
   *
   * @throws (rejects) what a finalizer, or a pull that was under way, fails with; a failure of the stream that no poll has
   *   thrown yet
   */
  close(): Promise<void> {
    return this.#machine.close();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface StreamSource<A> extends Source<A> {}

/** What a stream needs from outside. */
export interface StreamContext<R> {
  /** The services, such as `Effect.context()` gives. */
  readonly context: Context.Context<R>;
}

/**
 * A stream as a source: a branch of `select`, or of `selectEach`, that has many values.
 *
 * **Timing.** Nothing runs before the first poll. The next chunk is pulled when somebody polls or parks and nothing is in
 * hand, so that the stream is never more than one chunk ahead: backpressure is kept.
 *
 * **Cancel safety.** A branch that loses has taken nothing; the pull goes on, and what it brings stays for the next poll.
 *
 * @param stream the stream; where it needs services, `options.context` has them
 * @returns gives its values, then `ClosedError`; fails once as {@link errorFromCause} says. Close it: `await using`
 * @see `Stream.toAsyncIterable` (effect 4), whose `next` cannot be taken back
 * @example
 * ```ts
 * import { Stream } from 'effect';
 *
 * const numbers = sourceFromStream(Stream.make(1, 2));
 * for await (const { value } of selectEach({ numbers })) console.log(value);
 * // => 1
 * // => 2
 * await numbers.close();
 * ```
 */
export function sourceFromStream<A, E>(stream: Stream.Stream<A, E>): StreamSource<A>;
export function sourceFromStream<A, E, R>(stream: Stream.Stream<A, E, R>, options: StreamContext<R>): StreamSource<A>;
export function sourceFromStream<A, E, R>(
  stream: Stream.Stream<A, E, R>,
  options: { readonly context?: Context.Context<R> } = {},
): StreamSource<A> {
  checkKind(Stream.isStream(stream), 'sourceFromStream', 'a Stream', stream);
  checkOptions('sourceFromStream', options, ['context']);
  const context = options.context ?? Context.empty();
  return new StreamSource(new Machine(stream as Stream.Stream<A, E>, context as Context.Context<never>));
}
