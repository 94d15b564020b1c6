import { systemClock } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { EngineUnavailableError } from './errors.ts';
import { openWire, type RedisClient, type RedisWire } from './redis-client.ts';

/**
 * One connection to Redis. It is opened at once, and never opened again.
 *
 * Invariants
 *  1. Every call settles within `limit`, also on a connection that has gone silent. A call that does not costs the connection.
 *  2. When the connection ends, for whatever reason, every call that waits rejects, and `onDown` is called once.
 */
export class RedisLink {
  readonly #limit: number;
  readonly #onDown: (error: unknown) => void;
  readonly #wire: RedisWire;
  readonly #opened: Promise<unknown>;
  /** Reject the calls in progress. */
  readonly #waiting: Set<(error: unknown) => void> = new Set();
  /** Why it has ended. `undefined` while it works. */
  #end: { readonly error: unknown } | undefined;

  constructor(client: RedisClient, limit: number, onDown: (error: unknown) => void = ignore) {
    this.#limit = limit;
    this.#onDown = onDown;
    this.#wire = openWire(client, limit, (error) => this.fail(error));
    this.#opened = this.#wire.connect();
    this.#opened.catch((error) => this.fail(error));
  }

  get isDown(): boolean {
    return this.#end !== undefined;
  }

  run<T>(call: string, work: (wire: RedisWire) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end.error);
      const onLimit = (): void =>
        this.fail(new EngineUnavailableError(`Redis did not answer ${call} within ${this.#limit} ms`));
      const timer = systemClock.setTimer(this.#limit, onLimit, { ref: false });
      const settled = (): void => {
        systemClock.clearTimer(timer);
        this.#waiting.delete(fail);
      };
      const fail = (error: unknown): void => {
        settled();
        reject(error);
      };
      this.#waiting.add(fail);
      this.#opened
        .then(() => work(this.#wire))
        .then((answer) => {
          settled();
          resolve(answer);
        }, fail);
    });
  }

  /** Ends the connection. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#wire.end();
    for (const reject of [...this.#waiting]) reject(error);
    this.#onDown(error);
  }
}
