import { type CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { type Inherited, runInScope, ScopeState } from './scope-state.ts';
import { endedByCancellation, endedByStopSignal } from './stop-signal.ts';

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
