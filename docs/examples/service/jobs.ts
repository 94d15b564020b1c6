// The jobs of the service: each is accepted, done, recorded, and announced by an event.
//
//   POST ──► room in the queue? ──► acknowledged (202) ──► a worker is free ──► done ──► in the database ──► an event
//
// After the acknowledgement the service must not lose the job. Only a shutdown in the right order keeps it: no more
// requests, then the last acknowledgement, then the last job, then the last event.

import { randomUUID } from 'node:crypto';
import {
  type BroadcastReceiver,
  broadcast,
  CancellationToken,
  type Drainable,
  Semaphore,
  select,
  sleep,
  TaskTracker,
  type TrackerGuard,
  WorkerPool,
} from 'quiesce';
import type { Database } from './database.ts';
import type { Settings } from './settings.ts';

/** The work of a job. Here it only takes time. */
export interface Order {
  readonly note: string;
  /** How many milliseconds the job takes. */
  readonly takes: number;
  /** Whether the job ignores its token. */
  readonly ignoresToken: boolean;
}

export interface Done {
  readonly id: string;
  readonly note: string;
}

export class Jobs implements Drainable {
  readonly name = 'jobs';
  readonly #database: Database;
  /** Cancelled when no new requests are accepted. */
  readonly #lastOrders: CancellationToken;
  readonly #workers: WorkerPool;
  /** One permit for each acknowledged job that is not done. A request without a permit waits, and is not acknowledged. */
  readonly #room: Semaphore;
  /** Requests that may still become jobs. */
  readonly #requests = new TaskTracker({ name: 'orders' });
  readonly #done = broadcast.sender<Done>(1_024);
  #failed = 0;

  constructor(database: Database, lastOrders: CancellationToken, { concurrency, queue }: Settings) {
    this.#database = database;
    this.#lastOrders = lastOrders;
    this.#workers = new WorkerPool({ name: this.name, concurrency, capacity: queue, whenFull: 'refuse' });
    this.#room = new Semaphore(concurrency + queue);
  }

  get inFlightCount(): number {
    return this.#workers.inFlightCount;
  }

  /** Counts a request that may become a job, from its first line to the end of its response. */
  expect(): TrackerGuard {
    return this.#requests.guard();
  }

  /**
   * Accepts a job when there is room.
   *
   * @returns the id of the accepted job
   * @throws (rejects) the reason of `token`; the job was not accepted then
   */
  async accept(order: Order, token: CancellationToken): Promise<string> {
    const permit = await this.#room.acquire({ signal: token });
    const id = randomUUID();
    const work = this.#workers.execute((jobToken) => this.#work(id, order, jobToken), { name: `job ${id}` });
    void work.catch(() => this.#failed++).finally(() => permit.release());
    return id;
  }

  /** Returns a receiver of the jobs that are done from now on. It ends after the last job. */
  events(): BroadcastReceiver<Done> {
    return this.#done.subscribe();
  }

  /** Does nothing: the server accepts no new requests, and accepted ones are still served. */
  stop(): void {}

  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    try {
      await CancellationToken.from(signal).runUntilCancelled(this.#lastOrders.cancelled());
      this.#requests.close();
      await this.#requests.drain(signal);
    } finally {
      // Also when the signal is cancelled: the pool then cancels the remaining jobs, and awaits them.
      await this.#workers.drain(signal).finally(() => this.#done.close());
    }
  }

  /** Cancels the remaining jobs. */
  abort(reason: unknown): void {
    this.#workers.abort(reason);
  }

  /** Describes in one line how the jobs ended since the drain began. */
  summary(): string {
    const { completedCount: finished, cancelled, dropped, unfinished } = this.#workers.report();
    const ignoring = unfinished.map(({ name }) => `; ${name} ignores its token`).join('');
    const lost = `${cancelled.length} cancelled, ${dropped.length} never started, ${this.#failed} failed`;
    return `jobs, after the last request: ${finished} done, ${lost}${ignoring}`;
  }

  async #work(id: string, { note, takes, ignoresToken }: Order, token: CancellationToken): Promise<void> {
    const { branch } = await select.biased({ cancelled: !ignoresToken && token, worked: sleep(takes) });
    if (branch === 'cancelled') token.throwIfCancelled();
    await this.#database.record(id, note, token.signal);
    this.#done.send({ id, note });
  }
}
