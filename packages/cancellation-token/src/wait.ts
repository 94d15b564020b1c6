import { ignore } from '@quiesce/internal';
import { consumeBudget } from './budget.ts';
import { PENDING, protocolOf, type Source, type SourceProtocol, type Waiter } from './source.ts';
import { reportUncaught } from './uncaught.ts';

/**
 * Waits for any source outside `select`.
 *
 * **Timing.** A ready source is taken synchronously; otherwise at its wake-up. After 1,024 completions without a yield, the
 * promise settles after the event loop has run once.
 *
 * **Cancel safety.** The wait itself cannot be cancelled; use `select` or a source's own method where that matters.
 *
 * @param from the source to take one value from
 * @returns its value; a value that is itself a thenable is followed, as always in promises
 * @throws the error of the source's `poll`; TypeError when `from` is not a source
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token.cancel('late');
 * console.log(await wait(token)); // => late
 * ```
 */
export function wait<T>(from: Source<T>): Promise<T> {
  try {
    return new Wait(protocolOf(from, 'wait')).start();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** One wait. It polls, parks and polls again, as described at the head of source.ts. */
export class Wait<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly protocol: SourceProtocol<T> & { readonly mark?: number };
  readonly promise: Promise<T>;
  resolve: (value: T) => void = ignore;
  reject: (error: unknown) => void = ignore;
  /** Receives the result of the wait; set by `sourcePromise`. */
  call: { settled(value: T, mark?: number): void; failed(error: unknown, mark?: number): void } | undefined = undefined;
  /** Set while it polls: a wake-up then requests another round (invariant 3). */
  isPolling = false;
  /** Set before it parks, cleared by each wake-up. */
  isParked = false;
  /** Set once, before the promise settles. */
  isDone = false;

  constructor(protocol: SourceProtocol<T>) {
    this.protocol = protocol;
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  start(): Promise<T> {
    this.wake();
    return this.promise;
  }

  wake(): void {
    this.isParked = false;
    if (this.isPolling || this.isDone) return;
    try {
      while (!this.#take() && !this.isParked) {
        this.isParked = true;
        this.protocol.park(this);
        if (this.isDone) this.protocol.unpark(this);
      }
    } catch (error) {
      this.giveUp();
      this.call?.failed(error, this.protocol.mark);
      afterYield(() => this.reject(error));
    }
  }

  /** Stops waiting. The promise stays pending. Returns the functions that settle it. */
  giveUp(): this {
    this.isDone = true;
    try {
      this.protocol.unpark(this);
    } catch (error) {
      reportUncaught(error);
    }
    return this;
  }

  /** Polls, and returns whether the wait has finished. */
  #take(): boolean {
    if (this.isDone) return true;
    let value: T | typeof PENDING;
    this.isPolling = true;
    try {
      value = this.protocol.poll();
    } finally {
      this.isPolling = false;
    }
    if (value !== PENDING) {
      this.giveUp();
      this.call?.settled(value, this.protocol.mark);
      const taken = value;
      afterYield(() => this.resolve(taken));
    }
    return this.isDone;
  }
}

/** Settles after the event loop has run, if the budget is used up: a loop over ready sources must not starve it. */
export function afterYield(settle: () => void, yielding: Promise<void> | undefined = consumeBudget()): void {
  if (yielding === undefined) settle();
  else void yielding.then(settle);
}
