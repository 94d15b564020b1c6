import { systemClock } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { withLimit } from './limit.ts';
import { isRefusal, openWire, type RedisClient, type RedisWire } from './redis-client.ts';

/**
 * One connection to Redis. It is opened at once, and never reopened.
 *
 * Invariants
 *  1. Every call settles within the limit, even on a connection that no longer answers. An unanswered call ends the connection. An
 *     answer of a replica also ends it: after a failover, a new connection finds the new primary.
 *  2. When the connection ends, for any reason, `onDown` is called once.
 */
export class RedisLink {
  readonly #limit: number;
  readonly #onDown: (error: unknown) => void;
  readonly #wire: RedisWire;
  readonly #opened: Promise<unknown>;
  /** Why it has ended. `undefined` while it works. */
  #end: { readonly error: unknown } | undefined;

  constructor(client: RedisClient, limit: number, onDown: (error: unknown) => void = ignore) {
    const fail = (error: unknown): void => this.fail(error);
    this.#limit = limit;
    this.#onDown = onDown;
    this.#wire = openWire(client, fail);
    this.#opened = this.#wire.connect();
    this.#opened.catch(fail);
  }

  get isDown(): boolean {
    return this.#end !== undefined;
  }

  async run<T>(call: string, work: (wire: RedisWire) => Promise<T>): Promise<T> {
    try {
      return await withLimit(systemClock, this.#limit, call, () => this.#opened.then(() => work(this.#wire)));
    } catch (error) {
      if (!isRefusal(error) || isRefusal(error, '.*READONLY')) this.fail(error);
      // A call that ends with the connection rejects with its reason.
      throw this.#end === undefined ? error : this.#end.error;
    }
  }

  /** Ends the connection. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#wire.end();
    this.#onDown(error);
  }
}
