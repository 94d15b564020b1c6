import { systemClock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';
import type { NatsBucket, NatsWatchEntry } from './nats-client.ts';

/** How many ms an entry may take from the server to this process before the watch counts as broken. */
const ARRIVAL = 1_000;

/** One long-lived watch on a bucket. It delivers the entries in the order of their revisions. */
export class BucketWatch {
  /** When the stream was created. A later stream of the same name has other revisions. */
  readonly created: string;
  /** The last revision that has arrived or that is known to have expired. */
  #seen = 0;
  /** Waits for a revision. */
  readonly #waiting: Set<{ readonly revision: number; settle(hasArrived: boolean): void }> = new Set();
  readonly #entries: AsyncIterable<NatsWatchEntry> & { stop(): void };
  #isOpen = true;

  constructor(created: string, entries: AsyncIterable<NatsWatchEntry> & { stop(): void }) {
    this.created = created;
    this.#entries = entries;
  }

  /**
   * @param key a key, or a pattern
   * @param onEntry called with the last entry of each key, and then with each new entry
   */
  static async open(bucket: NatsBucket, key: string, onEntry: (entry: NatsWatchEntry) => void): Promise<BucketWatch> {
    // The status is requested first: when the stream is replaced before the watch opens, the next `requiredRevision` detects it.
    const { streamInfo } = await bucket.status();
    const watch = new BucketWatch(String(streamInfo.created), await bucket.watch({ key }));
    void watch.#run(onEntry);
    return watch;
  }

  get seen(): number {
    return this.#seen;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Marks all revisions up to this one as arrived or expired. */
  skip(revision: number): void {
    this.#seen = Math.max(this.#seen, revision);
  }

  /** @throws (rejects) EngineUnavailableError when it does not arrive in time */
  async arrival(revision: number): Promise<void> {
    if (this.#isOpen && revision <= this.#seen) return;
    const hasArrived = await new Promise<boolean>((resolve) => {
      if (!this.#isOpen) return resolve(false);
      const settle = (hasArrived: boolean): void => {
        systemClock.clearTimer(timer);
        this.#waiting.delete(one);
        resolve(hasArrived);
      };
      const one = { revision, settle };
      const timer = systemClock.setTimer(ARRIVAL, () => settle(false), { ref: false });
      this.#waiting.add(one);
    });
    if (!hasArrived) throw new EngineUnavailableError(`A watch of NATS has not delivered revision ${revision}`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#entries.stop();
    for (const { settle } of [...this.#waiting]) settle(false);
  }

  async #run(onEntry: (entry: NatsWatchEntry) => void): Promise<void> {
    try {
      for await (const entry of this.#entries) {
        if (!this.#isOpen) break;
        onEntry(entry);
        this.skip(entry.revision);
        for (const { revision, settle } of [...this.#waiting]) if (revision <= this.#seen) settle(true);
      }
    } catch {
      // The next read finds the closed watch, and opens another one.
    } finally {
      this.close();
    }
  }
}
