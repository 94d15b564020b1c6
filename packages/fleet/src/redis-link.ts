import { ignore } from '@quiesce/internal';
import { CallsInProgress } from './calls-in-progress.ts';
import { openWire, type RedisClient, type RedisWire } from './redis-client.ts';

/**
 * One connection to Redis. It is opened at once, and never opened again.
 *
 * Invariants
 *  1. Every call settles within the limit, also on a connection that has gone silent. A call that does not costs the connection.
 *  2. When the connection ends, for whatever reason, every call that waits rejects, and `onDown` is called once.
 */
export class RedisLink {
  readonly #calls: CallsInProgress;
  readonly #onDown: (error: unknown) => void;
  readonly #wire: RedisWire;
  readonly #opened: Promise<unknown>;
  /** Why it has ended. `undefined` while it works. */
  #end: { readonly error: unknown } | undefined;

  constructor(client: RedisClient, limit: number, onDown: (error: unknown) => void = ignore) {
    const fail = (error: unknown): void => this.fail(error);
    this.#calls = new CallsInProgress('Redis', limit, fail);
    this.#onDown = onDown;
    this.#wire = openWire(client, fail);
    this.#opened = this.#wire.connect();
    this.#opened.catch(fail);
  }

  get isDown(): boolean {
    return this.#end !== undefined;
  }

  run<T>(call: string, work: (wire: RedisWire) => Promise<T>): Promise<T> {
    if (this.#end !== undefined) return Promise.reject(this.#end.error);
    return this.#calls.run(call, () => this.#opened.then(() => work(this.#wire)));
  }

  /** Ends the connection. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#wire.end();
    this.#calls.rejectAll(error);
    this.#onDown(error);
  }
}
