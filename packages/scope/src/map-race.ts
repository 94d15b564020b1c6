import {
  type CancellationToken,
  CancelledError,
  type Clock,
  consumeSlice,
  isCancellationOf,
} from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { runInScope, ScopeState } from './scope-state.ts';
import { endedByCancellation, endedByStopSignal } from './stop-signal.ts';

/** The parts of the outer scope that the inner scope of `map`, `race` or `any` uses. */
interface Inherited {
  /** The token of the task that contains the inner scope. */
  readonly signal: CancellationToken;
  readonly clock: Clock;
  /** The spawn site of that task, or `undefined` when sites are not recorded. */
  readonly site: string | undefined;
}

/** Runs `map`: each item is a task, with at most `concurrency` at once. Returns the results in the order of the items. */
export async function mapItems<I, R>(
  items: Iterable<I>,
  work: (item: I, token: CancellationToken, index: number) => R,
  concurrency: number,
  inherited: Inherited,
): Promise<Awaited<R>[]> {
  const results: Awaited<R>[] = [];
  let free = concurrency;
  let started = 0;
  let done = 0;
  let isExhausted = false;
  /** Set by the first item that ended by a cancellation of its own. */
  let ownEnd: { readonly reason: unknown } | undefined;
  const scope = new ScopeState(inherited, inherited.site);
  await runInScope(scope, () => {
    const iterator = items[Symbol.iterator]();
    scope.defer(() => isExhausted || iterator.return?.(), 'close the iterator');
    const takeItem = (): IteratorResult<I> => {
      // An iterator that throws is exhausted, too.
      isExhausted = true;
      const step = iterator.next();
      isExhausted = step.done === true;
      return step;
    };
    const cancelAll = (reason: unknown): void => {
      ownEnd ??= { reason };
      scope.token.cancel(reason);
    };
    const startItem = (item: I, index: number): void => {
      const run = async (token: CancellationToken): Promise<void> => {
        try {
          results[index] = await work(item, token, index);
        } catch (error) {
          // An item that cancels itself has no result, so the map ends with its reason.
          if (isCancellationOf(error, token)) cancelAll(error);
          // The running items continue, and no other one starts.
          else if (endedByStopSignal(error, token)) ownEnd ??= { reason: error };
          throw error;
        }
        free++;
        done++;
        const pause = consumeSlice();
        if (pause !== undefined) await pause;
        fill();
      };
      scope.spawn(run, undefined, undefined);
    };
    const fill = (): void => {
      while (free > 0 && !isExhausted && ownEnd === undefined && !scope.token.isCancelled) {
        const step = takeItem();
        if (step.done === true) return;
        free--;
        startItem(step.value, started++);
      }
    };
    fill();
  });
  // Nothing failed, so each missing result was cancelled.
  if (!isExhausted || done < started) throw inherited.signal.isCancelled ? inherited.signal.reason : ownEnd?.reason;
  return results;
}

/** Runs `race` and `any`: the first function to settle, or to fulfil, wins. The others are cancelled and awaited. */
export async function raceWorks(
  works: readonly ((token: CancellationToken) => unknown)[],
  isAny: boolean,
  inherited: Inherited,
): Promise<unknown> {
  let winner: { readonly value: unknown } | undefined;
  /** Set by the first function that ended by a cancellation of its own. After that, no other one wins a `race`. */
  let ownEnd: { readonly reason: unknown } | undefined;
  const errors = new Set<unknown>();
  const scope = new ScopeState(inherited, inherited.site);
  const run = async (work: (token: CancellationToken) => unknown, token: CancellationToken): Promise<void> => {
    try {
      const value = await work(token);
      if (isAny || ownEnd === undefined) winner ??= { value };
      scope.token.cancel(new CancelledError('Another function was first', { source: 'sibling' }));
    } catch (error) {
      if (endedByCancellation(error, token)) {
        // A function that cancels itself decides a `race`, and drops out of an `any`. It is recorded before the cancellation,
        // since a loser may fulfil when it is cancelled.
        if (!scope.token.isCancelled) ownEnd ??= { reason: error };
        if (!isAny) scope.token.cancel(error);
        throw error;
      }
      if (!isAny) throw error;
      errors.add(error);
    }
  };
  await runInScope(scope, () => {
    for (const work of works) scope.spawn((token) => run(work, token), undefined, undefined);
  });
  if (winner !== undefined) return winner.value;
  // If one of them ended because of a stop signal, that is the end of the whole `any`.
  if (errors.size > 0 && (ownEnd === undefined || !endedByStopSignal(ownEnd.reason, inherited.signal))) {
    throw new ScopeError(undefined, [...errors]);
  }
  throw inherited.signal.isCancelled ? inherited.signal.reason : ownEnd?.reason;
}
