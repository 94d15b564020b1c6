import { consumeBudget } from './budget.ts';
import { PENDING, protocolOf, type Source, type SourceProtocol, type Waiter } from './source.ts';

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
  return new Promise<T>((resolve, reject) => new Waiting(protocolOf(from, 'wait')).start(resolve, reject));
}

/** A waiter that settles a promise. */
class Waiting<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly #protocol: SourceProtocol<T>;
  /** Set by `start`, before anything can wake it. */
  #resolve: (value: T) => void = ignore;
  #reject: (error: unknown) => void = ignore;

  constructor(protocol: SourceProtocol<T>) {
    this.#protocol = protocol;
  }

  start(resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve;
    this.#reject = reject;
    this.wake();
  }

  wake(): void {
    try {
      const value = this.#protocol.poll();
      if (value === PENDING) this.#protocol.park(this);
      else afterTurn(() => this.#resolve(value));
    } catch (error) {
      afterTurn(() => this.#reject(error));
    }
  }
}

/** A loop over what is ready at once must not starve the event loop. */
function afterTurn(settle: () => void): void {
  const turn = consumeBudget();
  if (turn === undefined) settle();
  else void turn.then(settle);
}

function ignore(): void {}
