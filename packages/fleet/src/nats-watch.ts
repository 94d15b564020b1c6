import { systemClock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';
import type { NatsBucket, NatsWatchEntry } from './nats-client.ts';

/** How long an entry may take from the server to this process, in ms, before the watch counts as broken. */
const ARRIVAL = 1_000;

/** One lasting watch on a bucket. It delivers the entries in the order of their revisions. */
export class NatsWatch {
  /** When the stream was made. A stream of the same name that was made anew has other revisions. */
  readonly created: string;
  /** The last revision that has arrived, or that is known to be gone. */
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
   * @param onEntry called with each entry: with the last one of each key, and then with each new one
   */
  static async open(bucket: NatsBucket, key: string, onEntry: (entry: NatsWatchEntry) => void): Promise<NatsWatch> {
    // The stream is asked first: when it is made anew in between, the next question finds it out.
    const { streamInfo } = await bucket.status();
    const watch = new NatsWatch(String(streamInfo.created), await bucket.watch({ key }));
    void watch.#run(onEntry);
    return watch;
  }

  get seen(): number {
    return this.#seen;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Notes that nothing up to this revision is left that has not arrived. */
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
      // The next read finds that the watch is closed, and opens another one.
    } finally {
      this.close();
    }
  }
}
