import { ClosedError, systemClock, type Timer } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { FleetListener, FleetSubscription, FleetTopic } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
import { inTime } from './limit.ts';
import { isRefusal, type RedisClient } from './redis-client.ts';
import { RedisLink } from './redis-link.ts';

/** The parts of a fleet's connection that a subscription uses. */
interface RedisListening {
  readonly client: RedisClient;
  readonly limit: number;
  readonly poll: number;
  /** For all members, and for this one. */
  readonly channels: readonly [string, string];
  /** Publishes a text to this member. */
  publish(text: string): Promise<unknown>;
  onPolling(): void;
}

const topics: readonly FleetTopic[] = ['cancels', 'inbox', 'slots'];
const PROBE = 'probe';
/** The time limit for the first hint, in ms. */
const FIRST = 1_000;

/**
 * The subscription of one member, on its own connection. The end of that connection breaks it.
 *
 * It returns `push` only after its own test hint has arrived, because a proxy or an access list may block hints. Otherwise it calls
 * `changed` for all topics at each `poll`: a read costs as much as a request that asks whether something has changed. A test hint
 * that arrives later breaks the subscription, so that the next one returns `push`.
 */
export class RedisSubscription implements FleetSubscription {
  hints: 'push' | 'polling' = 'push';
  isClosed = false;
  readonly #listening: RedisListening;
  readonly #on: FleetListener;
  readonly #link: RedisLink;
  /** Whether `open` has fulfilled: only then can the subscription be broken. */
  #isOpen = false;
  /** The waiters for a test hint. */
  readonly #probes: Set<() => void> = new Set();
  /** The timer of the next poll. `undefined` unless polling. */
  #timer: Timer | undefined;

  constructor(listening: RedisListening, on: FleetListener) {
    this.#listening = listening;
    this.#on = on;
    this.#link = new RedisLink(listening.client, listening.limit, (error) => this.#break(error));
  }

  /** @throws (rejects) when the server cannot be reached */
  async open(): Promise<void> {
    const { channels, limit, onPolling } = this.#listening;
    try {
      await this.#link.run('SUBSCRIBE', (wire) => wire.subscribe(channels, (text) => this.#receive(text)));
      if (!(await this.#probe(Math.min(FIRST, limit / 2)))) this.hints = 'polling';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.hints = 'polling';
    }
    this.#isOpen = true;
    if (this.hints === 'push') return;
    onPolling();
    this.#pollLater();
  }

  async check(): Promise<void> {
    if (this.hints === 'polling') this.#listening.publish(PROBE).catch(ignore);
    else if (!(await this.#probe(this.#listening.limit))) {
      throw new EngineUnavailableError('Redis no longer delivers hints');
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#link.fail(new ClosedError('The subscription is closed'));
    if (this.#timer !== undefined) systemClock.clearTimer(this.#timer);
  }

  #break(error: unknown): void {
    if (!this.#isOpen || this.isClosed) return;
    void this.close();
    this.#on.broken(error);
  }

  #receive(text: string): void {
    for (const arrive of this.#probes) arrive();
    if (this.hints === 'polling' && text === PROBE)
      this.#break(new EngineUnavailableError('Redis delivers hints again'));
    if (!this.isClosed && (topics as readonly string[]).includes(text)) this.#on.changed(text as FleetTopic);
  }

  /**
   * Returns whether a test hint arrives in time.
   *
   * @throws (rejects) when it cannot be sent
   */
  async #probe(ms: number): Promise<boolean> {
    let arrive = ignore;
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    this.#probes.add(arrive);
    try {
      await this.#listening.publish(PROBE);
      return await inTime(ms, arrived);
    } finally {
      this.#probes.delete(arrive);
    }
  }

  #pollLater(): void {
    const poll = (): void => {
      this.#pollLater();
      for (const topic of topics) this.#on.changed(topic);
    };
    this.#timer = systemClock.setTimer(this.#listening.poll, poll, { ref: false });
  }
}
