// What the service is for: jobs are accepted, done, written down, and told of.
//
//   POST ──► room in the queue? ──► acknowledged (202) ──► a worker is free ──► done ──► in the database ──► an event
//
// From the acknowledgement on the job is ours to lose, and only a shutdown in the right order does not lose it:
// no more requests, then the last acknowledgement, then the last job, then the last event.

import { randomUUID } from 'node:crypto';
import { type BroadcastReceiver, broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { Semaphore } from '@quiesce/channel';
import { type Drainable, TaskTracker, type TrackerGuard } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { WorkerPool } from '@quiesce/worker-pool';
import type { Database } from './database.ts';
import type { Settings } from './settings.ts';

/** What somebody wants to have done. Here it only takes time. */
export interface Order {
  readonly note: string;
  /** How many milliseconds it takes. */
  readonly takes: number;
  /** Whether it never asks its token, as too much code in the world. */
  readonly isDeaf: boolean;
}

export interface Done {
  readonly id: string;
  readonly note: string;
}

export class Jobs implements Drainable {
  readonly name = 'jobs';
  readonly #database: Database;
  /** Cancelled when no new requests come in any more. */
  readonly #lastOrders: CancellationToken;
  readonly #workers: WorkerPool;
  /** One permit for each job that is acknowledged and not done: whoever gets none waits, and is not acknowledged. */
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

  get inFlight(): number {
    return this.#workers.inFlight;
  }

  /** Counts a request that may become a job, from its first line to the end of its response. */
  expect(): TrackerGuard {
    return this.#requests.guard();
  }

  /**
   * Takes a job when there is room for it.
   *
   * @returns its id: from now on it is ours
   * @throws (rejects) the reason of `signal`; then it is not
   */
  async accept(order: Order, signal: CancellationToken): Promise<string> {
    const permit = await this.#room.acquire({ signal });
    const id = randomUUID();
    const work = this.#workers.execute((token) => this.#work(id, order, token), { name: `job ${id}` });
    void work.catch(() => this.#failed++).finally(() => permit.release());
    return id;
  }

  /** Every job that is done from now on; ends behind the last one. */
  events(): BroadcastReceiver<Done> {
    return this.#done.subscribe();
  }

  /** Nothing to do: whoever was let in is still served, and the server lets nobody in any more. */
  stop(): void {}

  async drain(given: CancellationToken | AbortSignal): Promise<void> {
    const token = CancellationToken.from(given);
    try {
      await token.runUntilCancelled(this.#lastOrders.cancelled());
      this.#requests.close();
      await this.#requests.drain(token);
    } finally {
      // Also past the deadline: it cancels what is left, and awaits that.
      await this.#workers.drain(token).finally(() => this.#done.close());
    }
  }

  /** One line about what came of them since the end began. */
  summary(): string {
    const { finished, cancelled, dropped, unfinished } = this.#workers.report();
    const ignoring = unfinished.map(({ name }) => `; ${name} ignores its token`).join('');
    const lost = `${cancelled.length} cancelled, ${dropped.length} never begun, ${this.#failed} failed`;
    return `jobs, when no more came: ${finished} done, ${lost}${ignoring}`;
  }

  async #work(id: string, { note, takes, isDeaf }: Order, token: CancellationToken): Promise<void> {
    const { branch } = await select.biased({ told: !isDeaf && token, worked: sleep(takes) });
    if (branch === 'told') token.throwIfCancelled();
    await this.#database.record(id, note, token.signal);
    this.#done.send({ id, note });
  }
}
