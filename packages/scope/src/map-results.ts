/**
 * The results of `mapUnordered`, in the order in which the items end.
 *
 * Invariants
 *  1. A result goes to the first reader. Without readers it is unread, and its item keeps its place until it is read. So one of
 *     the two lists is empty.
 *  2. The end is read after the last unread result, once. The task runs until then, so that no failure looks as if no code
 *     waited for it. It is a daemon: when the scope has no other work, no reader is left, and the scope cancels it.
 *  3. When the loop is left, the failure of an item belongs to the scope: `return()` does not throw it, since the language drops
 *     what `return()` throws after a `throw`.
 */

import { type CancellationToken, CancelledError, consumeSlice } from '@quiesce/cancellation-token';
import { append, type Chain, defineDispose, ignore, type Link, remove } from '@quiesce/internal';
import { type MapSettings, mapItems } from './map-items.ts';
import type { ScopeState } from './scope-state.ts';
import type { Task } from './task.ts';

/** A result that is not read. */
interface Unread<R> extends Link<Unread<R>> {
  readonly value: Awaited<R>;
  /** Gives the place of the item to another one. */
  readonly accept: () => void;
}

type Step<R> = IteratorResult<Awaited<R>, undefined>;

const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class MapResults<R> implements AsyncIterableIterator<Awaited<R>, undefined, undefined>, AsyncDisposable {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineDispose(MapResults, 'return', 'asyncDispose');
  readonly #unread: Chain<Unread<R>> = { head: undefined };
  /** The pending calls of `next()`, in order. */
  readonly #readers: ((step: Step<R> | Promise<Step<R>>) => void)[] = [];
  /** Set by `start`. */
  #task: Task<void> | undefined = undefined;
  /** Fulfils when the task has ended. Set by `start`. */
  #ended: Promise<unknown> | undefined = undefined;
  /** Whether no more results come. */
  #hasEnded = false;
  /** Whether the end was read, or the loop was left. */
  #isOver = false;
  /** Called by `next()` when all results are read; set while the task waits for that. */
  #onReader: () => void = ignore;
  /** The same as `return`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /** Starts the items. */
  start<I>(settings: MapSettings<I, R>, name: string, scope: ScopeState, above: unknown): void {
    const site = scope.callSite(above);
    const run = (signal: CancellationToken): Promise<void> => {
      const inherited = { signal, clock: scope.clock, cleanupTimeout: scope.cleanupTimeout, site };
      const running = this.#run(
        mapItems(settings, inherited, (value) => this.#deliver(value)),
        signal,
      );
      this.#ended = running.catch(ignore);
      return running;
    };
    this.#task = scope.spawn(run, { name, daemon: true, onFailure: 'isolate' }, above);
  }

  async #run(mapping: Promise<void>, signal: CancellationToken): Promise<void> {
    try {
      await mapping;
    } finally {
      this.#hasEnded = true;
      if (!this.#isOver && this.#readers.length === 0) {
        // Invariant 2.
        const reader = new Promise<void>((resolve) => {
          this.#onReader = resolve;
        });
        await signal.runUntilCancelled(reader);
      }
      for (const reader of this.#readers.splice(0)) reader(this.#end());
    }
  }

  /** Passes a result on (invariant 1). */
  #deliver(value: Awaited<R>): Promise<void> | undefined {
    const reader = this.#readers.shift();
    if (reader === undefined) {
      return new Promise((accept) => append(this.#unread, { next: undefined, prev: undefined, value, accept }));
    }
    reader({ done: false, value });
    return undefined;
  }

  /** The first call gives the end of the task. */
  async #end(): Promise<Step<R>> {
    if (!this.#isOver) {
      this.#isOver = true;
      await this.#task;
    }
    return done;
  }

  async next(): Promise<Step<R>> {
    if (this.#isOver) return done;
    const unread = this.#unread.head;
    if (unread !== undefined) {
      remove<Unread<R>>(this.#unread, unread);
      unread.accept();
      const pause = consumeSlice();
      if (pause !== undefined) await pause;
      return { done: false, value: unread.value };
    }
    if (!this.#hasEnded) return new Promise((resolve) => this.#readers.push(resolve));
    this.#onReader();
    return this.#end();
  }

  /** Leaves the loop: cancels the running items, and awaits them. Pending calls of `next()` end, too. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#unread.head = undefined;
      for (const reader of this.#readers.splice(0)) reader(done);
      this.#task?.cancel(new CancelledError('The loop over the results was left'));
    }
    await this.#ended;
    return done;
  }

  /** Leaves the loop as `return` does, and rejects with `error`: `yield*` calls it to pass on an error. */
  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
