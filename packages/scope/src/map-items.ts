/**
 * Runs `map` and `mapUnordered`: each item is a task of an inner scope, with at most `concurrency` at once.
 *
 * Invariants
 *  1. The items are taken one after the other. While `next()` of an async iterator is pending, no other one is called.
 *  2. Each item that the iterator has given is started, unless the inner scope is cancelled.
 *  3. The iterator is closed once, unless it has ended or thrown.
 *  4. An item holds one of the `concurrency` places until its result is accepted, or the inner scope is cancelled.
 */

import { type CancellationToken, consumeSlice, isCancellationOf, type Registration } from '@quiesce/cancellation-token';
import { checkKind, ignore } from '@quiesce/internal';
import type { MapProgress } from './options.ts';
import { type Inherited, runInScope, ScopeState } from './scope-state.ts';
import { endedByStopSignal } from './stop-signal.ts';

/** Receives a result. May return a promise, and accepts the result when that fulfils. */
export type OnResult<R> = (value: Awaited<R>, index: number) => Promise<void> | undefined;

/** The settings of a call, checked. */
export interface MapSettings<I, R> {
  readonly items: Iterable<I> | AsyncIterable<I>;
  readonly work: (item: I, token: CancellationToken, index: number) => R;
  readonly concurrency: number;
  /** The time limit of one item, in milliseconds, or `Infinity`. */
  readonly timeout: number;
  /** Ends the taking of items, or `undefined`. */
  readonly stopSignal: CancellationToken | undefined;
  readonly onProgress: ((progress: MapProgress) => void) | undefined;
}

/** Runs the items, and passes each result to `onResult`. */
export async function mapItems<I, R>(
  settings: MapSettings<I, R>,
  inherited: Inherited,
  onResult: OnResult<R>,
): Promise<void> {
  const { items, work, concurrency, timeout, stopSignal } = settings;
  let runningCount = 0;
  /** How many places are taken (invariant 4). */
  let placeCount = 0;
  let startedCount = 0;
  let completedCount = 0;
  let isExhausted = false;
  let isTaking = false;
  /** Set by the first item that ended by a cancellation of its own. */
  let ownEnd: { readonly reason: unknown } | undefined;
  const scope = new ScopeState(inherited, inherited.site);
  const report = (): void => {
    const totalCount = countOf(items);
    settings.onProgress?.({ completedCount, runningCount, ...(totalCount !== undefined && { totalCount }) });
  };
  let stopping: Registration | undefined;
  await runInScope(scope, () => {
    const isAsync = Symbol.asyncIterator in items;
    const iterator = isAsync ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    let closing: Promise<unknown> | undefined;
    const close = (): Promise<unknown> => {
      closing ??= (async () => iterator.return?.())();
      return closing;
    };
    scope.defer(() => isExhausted || close(), 'close the iterator');
    // Ends a pending `next()`. The cleanup reports an error of `return()`.
    stopping = stopSignal?.onCancelled(() => void (isTaking && close().catch(ignore)));
    const cancelAll = (reason: unknown): void => {
      ownEnd ??= { reason };
      scope.token.cancel(reason);
    };
    const startItem = (item: I, index: number): void => {
      const run = async (token: CancellationToken): Promise<void> => {
        const own =
          timeout === Number.POSITIVE_INFINITY ? token : token.withTimeout(timeout, { clock: inherited.clock });
        let accepted: Promise<void> | undefined;
        try {
          accepted = onResult(await work(item, own, index), index);
        } catch (error) {
          // An item that cancels itself has no result, so the map ends with its reason.
          if (isCancellationOf(error, token)) cancelAll(error);
          // The running items continue, and no other one starts.
          else if (endedByStopSignal(error, token)) ownEnd ??= { reason: error };
          throw error;
        } finally {
          if (own !== token) own.dispose();
        }
        runningCount--;
        completedCount++;
        report();
        if (accepted !== undefined) await token.runUntilCancelled(accepted);
        placeCount--;
        const pause = consumeSlice();
        if (pause !== undefined) await pause;
        fill();
      };
      runningCount++;
      placeCount++;
      scope.spawn(run, undefined, undefined);
      report();
    };
    const isEnding = (): boolean => isExhausted || ownEnd !== undefined || scope.token.isCancelled;
    /** Starts the item of a step. Returns whether there may be another one. */
    const onStep = (step: IteratorResult<I>): boolean => {
      // As `for await` does: an iterator that gives something else would never end.
      isExhausted = true;
      checkKind(Object(step) === step, 'next() of the items', 'an object', step);
      isExhausted = step.done === true;
      if (step.done !== true) startItem(step.value, startedCount++);
      return !isExhausted;
    };
    /** Waits for one step of an async iterator. A task of its own, so that the inner scope awaits it. */
    const take = async (pending: PromiseLike<IteratorResult<I>>, token: CancellationToken): Promise<void> => {
      const outcome = await token.runUntilCancelled(pending).catch((error: unknown) => {
        isExhausted = true;
        throw error;
      });
      isTaking = false;
      if (outcome.status === 'cancelled') throw outcome.reason;
      // An item that arrives after `stopSignal` was taken from its source, so it runs.
      if (onStep(outcome.value)) fill();
    };
    const fill = (): void => {
      while (!isTaking && placeCount < concurrency && !isEnding() && stopSignal?.isCancelled !== true) {
        // An iterator that throws is exhausted, too.
        isExhausted = true;
        const step = iterator.next();
        isExhausted = false;
        isTaking = isAsync;
        if (isAsync) scope.spawn((token) => take(step as Promise<IteratorResult<I>>, token), undefined, undefined);
        else if (!onStep(step as IteratorResult<I>)) return;
      }
    };
    fill();
  }).finally(() => stopping?.dispose());
  // Nothing failed, so each missing result was cancelled.
  if (completedCount < startedCount || !(isExhausted || stopSignal?.isCancelled === true)) {
    throw inherited.signal.isCancelled ? inherited.signal.reason : ownEnd?.reason;
  }
}

/** Returns the number of items, where it is known. The `length` of a receiver is that of its buffer. */
function countOf(items: object): number | undefined {
  if (Symbol.asyncIterator in items) return undefined;
  const { length, size } = items as { readonly length?: unknown; readonly size?: unknown };
  return [length, size].find((count) => typeof count === 'number') as number | undefined;
}
