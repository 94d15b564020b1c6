import { consumeBudget } from './budget.ts';
import { PENDING, protocolOf, type Source, type Waiter } from './source.ts';

/**
 * Waits for any source outside of `select`.
 *
 * **Timing.** A source that is ready is taken at once, synchronously; otherwise at its wake-up. After 1,024 completions
 * without one, a real turn of the event loop goes before the promise settles.
 *
 * **Cancel safety.** The wait itself cannot be given up; use `select` or a source's own method where that matters.
 *
 * @param from the source to take one value from
 * @returns its value; a value that is itself a thenable is followed, as everywhere in promises
 * @throws what the source's `poll` throws; TypeError when `from` is no source
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token.cancel('late');
 * console.log(await wait(token)); // => late
 * ```
 */
export function wait<T>(from: Source<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const protocol = protocolOf(from, 'wait');
    const wake = (): void => {
      try {
        const value = protocol.poll();
        if (value === PENDING) protocol.park(waiter);
        else afterTurn(() => resolve(value));
      } catch (error) {
        afterTurn(() => reject(error));
      }
    };
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    wake();
  });
}

/** A loop over what is ready at once must not starve the event loop. */
export function afterTurn(settle: () => void): void {
  const turn = consumeBudget();
  if (turn === undefined) settle();
  else void turn.then(settle);
}
