import { CancellationToken, PENDING, type Source, source, type Waiter } from '@quiesce/cancellation-token';

/** One real round of the event loop: after it, every promise that can settle has settled. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The state of a promise: its value, `{ error }`, or `'pending'`. */
export function now(promise: PromiseLike<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value,
    (error: unknown) => ({ error }),
  );
  return Promise.race([outcome, turn().then(() => 'pending')]);
}

/** The rejection of a promise; fails when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result) return result.error;
  throw new Error(`expected a rejection, got the value ${JSON.stringify(result.value)}`);
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

export function cancelled(reason: unknown): CancellationToken {
  const token = new CancellationToken();
  token.cancel(reason);
  return token;
}

/** A promise and its two functions. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** An object that is awaitable, and no promise. */
export function thenable<T>(then: PromiseLike<T>['then'] | ((...callbacks: never[]) => void)): PromiseLike<T> {
  return Object.defineProperty({}, 'then', { value: then }) as PromiseLike<T>;
}

/** The source that the documentation of `Source` shows. */
export class Flag implements Source<true> {
  #up = false;
  readonly #waiters = new Set<Waiter>();
  raise(): void {
    this.#up = true;
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of woken) waiter.wake();
  }
  readonly [source] = {
    poll: (): true | typeof PENDING => (this.#up ? true : PENDING),
    park: (waiter: Waiter): void => void this.#waiters.add(waiter),
    unpark: (waiter: Waiter): void => void this.#waiters.delete(waiter),
  };
}

/** A source that counts the calls of its methods, and gives each pushed value once. */
export class Probe<T> implements Source<T> {
  readonly values: T[] = [];
  readonly waiters = new Set<Waiter>();
  polls = 0;
  parks = 0;
  /** Called at each poll and each park, before anything else. */
  onPoll: () => void = () => {};
  onPark: (waiter: Waiter) => void = () => {};

  constructor(...values: T[]) {
    this.values.push(...values);
  }

  push(value: T): void {
    this.values.push(value);
    this.wake();
  }

  /** Wakes the first waiter. */
  wake(): void {
    const [first] = this.waiters;
    if (first === undefined) return;
    this.waiters.delete(first);
    first.wake();
  }

  readonly [source] = {
    poll: (): T | typeof PENDING => {
      this.polls++;
      this.onPoll();
      return this.values.length > 0 ? (this.values.shift() as T) : PENDING;
    },
    park: (waiter: Waiter): void => {
      this.parks++;
      this.waiters.add(waiter);
      this.onPark(waiter);
    },
    unpark: (waiter: Waiter): void => {
      this.waiters.delete(waiter);
    },
  };
}
