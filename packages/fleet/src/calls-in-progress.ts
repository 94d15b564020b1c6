import { systemClock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';

/**
 * The calls of one connection that have no answer yet.
 *
 * Invariant: each settles within the limit, and at once when the connection fails. An answer that comes later changes nothing.
 */
export class CallsInProgress {
  readonly #server: string;
  readonly #limit: number;
  readonly #onLimit: (error: unknown) => void;
  readonly #rejecting: Set<(error: unknown) => void> = new Set();

  /** @param onLimit called when a call was abandoned */
  constructor(server: string, limit: number, onLimit: (error: unknown) => void) {
    this.#server = server;
    this.#limit = limit;
    this.#onLimit = onLimit;
  }

  /** Starts a call. */
  run<T>(call: string, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settled = (): void => {
        systemClock.clearTimer(timer);
        this.#rejecting.delete(fail);
      };
      const fail = (error: unknown): void => {
        settled();
        reject(error);
      };
      const onLimit = (): void => {
        const error = new EngineUnavailableError(`${this.#server} did not answer ${call} within ${this.#limit} ms`);
        fail(error);
        this.#onLimit(error);
      };
      const timer = systemClock.setTimer(this.#limit, onLimit, { ref: false });
      this.#rejecting.add(fail);
      work().then((answer) => {
        settled();
        resolve(answer);
      }, fail);
    });
  }

  rejectAll(error: unknown): void {
    for (const reject of [...this.#rejecting]) reject(error);
  }
}
