import type { Clock } from '@quiesce/cancellation-token';
import { backoffOf } from '@quiesce/internal';
import type { FleetRecord } from './engine.ts';
import { Pause } from './limit.ts';

/** The most records of one `append`. */
const MOST = 500;

/** A record that waits to be stored. */
interface Entry {
  readonly record: FleetRecord;
  /** When the record is no longer needed, on the clock. */
  readonly until: number;
  settle(error: unknown): void;
}

/**
 * Stores records in batches. One batch is in flight, and records that are added during that time form the next one. A batch that
 * fails is sent again, until each of its records is stored or no longer needed.
 */
export class Appender {
  readonly #clock: Clock;
  readonly #store: (records: readonly FleetRecord[]) => Promise<void>;
  readonly #delayOf: (failures: number) => number = backoffOf('append', { delay: 20, maxDelay: 1_000 });
  #queue: Entry[] = [];
  #isStoring = false;
  #failures = 0;
  readonly #pause: Pause = new Pause();
  #error: unknown;
  #isClosed = false;

  /** @param store one `append` of the engine, with its limit */
  constructor(clock: Clock, store: (records: readonly FleetRecord[]) => Promise<void>) {
    this.#clock = clock;
    this.#store = store;
  }

  /**
   * Stores a record.
   *
   * @param ms how long to try
   * @returns `undefined` when it is stored, and `{ error }` with the last error when it is not
   */
  add(record: FleetRecord, ms: number): Promise<{ readonly error: unknown } | undefined> {
    return new Promise((resolve) => {
      const settle = (error: unknown): void => resolve(error === undefined ? undefined : { error });
      this.#queue.push({ record, until: this.#clock.now() + ms, settle });
      if (this.#isClosed) this.#dropLate();
      else if (!this.#isStoring) void this.#run();
    });
  }

  /** Gives up all records, also records that are added later. */
  close(): void {
    this.#isClosed = true;
    this.retryNow();
    this.#dropLate();
  }

  /** Tries again at once: the engine is back. */
  retryNow(): void {
    this.#failures = 0;
    this.#pause.end();
  }

  async #run(): Promise<void> {
    this.#isStoring = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MOST);
      try {
        await this.#store(batch.map(({ record }) => record));
        this.#failures = 0;
        for (const entry of batch) entry.settle(undefined);
      } catch (error) {
        this.#error = error ?? new Error('append failed');
        this.#queue.unshift(...batch);
        if (!this.#isClosed) await this.#pause.wait(this.#clock, this.#delayOf(++this.#failures));
      }
      this.#dropLate();
    }
    this.#isStoring = false;
  }

  #dropLate(): void {
    const now = this.#clock.now();
    this.#queue = this.#queue.filter((entry) => {
      if (entry.until > now && !this.#isClosed) return true;
      entry.settle(this.#error ?? new Error('there was no time to store the record'));
      return false;
    });
  }
}
