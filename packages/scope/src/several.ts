import {
  type CancellationToken,
  CancelledError,
  type Clock,
  consumeSlice,
  isCancellationOf,
} from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { Life } from './life.ts';
import { hasObeyed, isStopped } from './obedience.ts';
import { runIn } from './run-in.ts';

/** What the scope inside of `map`, `race` or `any` gets from the one outside. */
interface Inherited {
  /** The token of the task that the inner scope runs in. */
  readonly signal: CancellationToken;
  readonly clock: Clock;
  /** Where that was spawned, if sites are recorded. */
  readonly site: string | undefined;
}

/** The machine of `map`: at most `free` items at a time, each a task; the results in the order of the items. */
export async function mapItems<I, R>(
  items: Iterable<I>,
  work: (item: I, token: CancellationToken, index: number) => R,
  concurrency: number,
  inherited: Inherited,
): Promise<Awaited<R>[]> {
  const results: Awaited<R>[] = [];
  let free = concurrency;
  let begun = 0;
  let done = 0;
  let isExhausted = false;
  /** Why an item has cancelled itself. */
  let given: { readonly reason: unknown } | undefined;
  const life = new Life(inherited, inherited.site);
  await runIn(life, () => {
    const iterator = items[Symbol.iterator]();
    life.defer(() => isExhausted || iterator.return?.(), 'close the iterator');
    const take = (): IteratorResult<I> => {
      // One that throws is exhausted, too.
      isExhausted = true;
      const step = iterator.next();
      isExhausted = step.done === true;
      return step;
    };
    const giveUp = (reason: unknown): void => {
      given ??= { reason };
      life.token.cancel(reason);
    };
    const begin = (item: I, index: number): void => {
      const run = async (token: CancellationToken): Promise<void> => {
        try {
          results[index] = await work(item, token, index);
        } catch (error) {
          // An item that cancels itself: nobody else would say why its result is missing.
          if (isCancellationOf(error, token)) giveUp(error);
          // Those that run go on; none is started.
          else if (isStopped(error, token)) given ??= { reason: error };
          throw error;
        }
        free++;
        done++;
        const turn = consumeSlice();
        if (turn !== undefined) await turn;
        fill();
      };
      life.spawn(run, undefined, undefined);
    };
    const fill = (): void => {
      while (free > 0 && !isExhausted && given === undefined && !life.token.isCancelled) {
        const step = take();
        if (step.done === true) return;
        free--;
        begin(step.value, begun++);
      }
    };
    fill();
  });
  // Nothing has failed: what is missing was cancelled.
  if (!isExhausted || done < begun) throw inherited.signal.isCancelled ? inherited.signal.reason : given?.reason;
  return results;
}

/** The machine of `race` and `any`: the first to end, or to fulfil; the others are cancelled and awaited. */
export async function firstOf(
  works: readonly ((token: CancellationToken) => unknown)[],
  isAny: boolean,
  inherited: Inherited,
): Promise<unknown> {
  let winner: { readonly value: unknown } | undefined;
  /** Why the first one that did so has cancelled itself; in a race nobody wins behind it. */
  let given: { readonly reason: unknown } | undefined;
  const errors = new Set<unknown>();
  const life = new Life(inherited, inherited.site);
  const run = async (work: (token: CancellationToken) => unknown, token: CancellationToken): Promise<void> => {
    try {
      const value = await work(token);
      if (isAny || given === undefined) winner ??= { value };
      life.token.cancel(new CancelledError('Another one was first', { source: 'sibling' }));
    } catch (error) {
      if (hasObeyed(error, token)) {
        // One that cancels itself has ended: it decides a race, and is out of an `any`. The decision comes first: a loser
        // may fulfil when it hears of it.
        if (!life.token.isCancelled) given ??= { reason: error };
        if (!isAny) life.token.cancel(error);
        throw error;
      }
      if (!isAny) throw error;
      errors.add(error);
    }
  };
  await runIn(life, () => {
    for (const work of works) life.spawn((token) => run(work, token), undefined, undefined);
  });
  if (winner !== undefined) return winner.value;
  // By a stop signal that one of them has obeyed, the whole has ended.
  if (errors.size > 0 && (given === undefined || !isStopped(given.reason, inherited.signal))) {
    throw new ScopeError(undefined, [...errors]);
  }
  throw inherited.signal.isCancelled ? inherited.signal.reason : given?.reason;
}
