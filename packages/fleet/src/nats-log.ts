import type { BucketWatch } from './bucket-watch.ts';
import type { LogPage, StoredRecord } from './engine.ts';
import { decodeKey, type NatsWatchEntry } from './nats-client.ts';

/** The largest number of records in one answer. */
const PAGE = 500;
/** `NatsClock` may be late by as much as an entry took to arrive, in ms. Until then, the server may have more expired records. */
const LATE = 5_000;

/** A record that a watch has delivered. */
interface Arrived {
  readonly revision: number;
  readonly id: string;
  readonly body: string;
  readonly ttl: number;
  /** By the server's clock. */
  readonly expiresAt: number;
}

/** Where the next read begins. A cursor of another watch makes a read whole. */
interface Cursor {
  readonly log: NatsLog;
  readonly revision: number;
}

/**
 * The local copy of one log. A read removes no records, so that the reader of a late answer can read again. Only expired records
 * are removed.
 */
export class NatsLog {
  /** Sorted by revision. */
  readonly #records: Arrived[] = [];

  add(entry: NatsWatchEntry): void {
    const { key, revision, created } = entry;
    const value = entry.string();
    const space = value.indexOf(' ');
    const ttl = Number(value.slice(0, space));
    const id = decodeKey(key.slice(key.indexOf('.') + 1));
    this.#records.push({ revision, id, body: value.slice(space + 1), ttl, expiresAt: created.getTime() + ttl });
  }

  /**
   * Returns whether the server has deleted a record before its time: a stream was purged.
   *
   * @param first the first revision in the server
   * @param now the server's time
   */
  lacks(first: number, now: number): boolean {
    const oldest = this.#records.find(({ expiresAt }) => expiresAt > now + LATE);
    return oldest !== undefined && oldest.revision < first;
  }

  /** @param now the server's time */
  page(watch: BucketWatch, after: unknown, now: number): LogPage {
    const expired = this.#records.findIndex(({ expiresAt }) => expiresAt > now);
    this.#records.splice(0, expired === -1 ? this.#records.length : expired);
    const cursor = after as Cursor | undefined;
    const whole = cursor?.log !== this;
    const from = whole ? 0 : this.#firstAfter(cursor.revision);
    const page = this.#records.slice(from, from + PAGE);
    const more = from + PAGE < this.#records.length;
    const revision = more ? (page.at(-1) as Arrived).revision : watch.seen;
    const records: StoredRecord[] = [];
    for (const { id, body, ttl, expiresAt } of page) {
      if (expiresAt > now) records.push({ id, body, left: Math.min(ttl, expiresAt - now) });
    }
    return { records, cursor: { log: this, revision }, whole, more };
  }

  #firstAfter(revision: number): number {
    let [low, high] = [0, this.#records.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#records[middle] as Arrived).revision > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
