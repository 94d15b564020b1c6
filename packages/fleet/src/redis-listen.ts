import { ClosedError, systemClock, type Timer } from '@quiesce/cancellation-token';
import type { FleetListener, FleetSubscription, FleetTopic } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
import { inTime } from './in-time.ts';
import type { RedisClient } from './redis-client.ts';
import { RedisLink } from './redis-link.ts';

/** What a subscription needs of its fleet's connection. */
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
/** How long the first hint may take, in ms. */
const PROBE = 1_000;
let probeCount = 0;

/**
 * The subscription of one member, on a connection of its own. It says `push` only after a hint of its own has arrived: a proxy or
 * an access list may keep hints back. Otherwise it ends that connection, and hints at everything each `poll`: to look is as dear
 * as to ask whether there is something to see.
 */
export class RedisSubscription implements FleetSubscription {
  hints: 'push' | 'polling' = 'push';
  readonly #listening: RedisListening;
  readonly #on: FleetListener;
  readonly #link: RedisLink;
  isClosed = false;
  /** Whether `open` has fulfilled: only then can the subscription be broken. */
  #isOpen = false;
  /** Resolve the probes in progress, by their text. */
  readonly #probes: Map<string, () => void> = new Map();
  /** The timer of the next poll. `undefined` unless polling. */
  #timer: Timer | undefined;

  constructor(listening: RedisListening, on: FleetListener) {
    this.#listening = listening;
    this.#on = on;
    this.#link = new RedisLink(listening.client, listening.limit, (error) => {
      if (!this.#isOpen || this.isClosed || this.hints === 'polling') return;
      this.isClosed = true;
      on.broken(error);
    });
  }

  /** @throws (rejects) when the server cannot be reached */
  async open(): Promise<void> {
    const { channels, onPolling } = this.#listening;
    try {
      await this.#link.run('SUBSCRIBE', (wire) => wire.subscribe(channels, (text) => this.#receive(text)));
      if (!(await this.#probe(PROBE))) this.hints = 'polling';
    } catch (error) {
      if (this.#link.isDown) throw error;
      this.hints = 'polling';
    }
    this.#isOpen = true;
    if (this.hints === 'push') return;
    this.#link.fail(undefined);
    onPolling();
    this.#pollLater();
  }

  async check(): Promise<void> {
    if (this.hints === 'push' && !(await this.#probe(this.#listening.limit))) {
      throw new EngineUnavailableError('Redis no longer delivers what is published');
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#link.fail(new ClosedError('The subscription is closed'));
    if (this.#timer !== undefined) systemClock.clearTimer(this.#timer);
  }

  #receive(text: string): void {
    this.#probes.get(text)?.();
    if (!this.isClosed && (topics as readonly string[]).includes(text)) this.#on.changed(text as FleetTopic);
  }

  /** Returns whether a hint of our own arrives in time. */
  async #probe(ms: number): Promise<boolean> {
    const text = `probe ${++probeCount}`;
    const arrived = new Promise<void>((resolve, reject) => {
      this.#probes.set(text, resolve);
      this.#listening.publish(text).catch(reject);
    });
    const isArrived = await inTime(ms, arrived);
    this.#probes.delete(text);
    return isArrived;
  }

  #pollLater(): void {
    const poll = (): void => {
      this.#pollLater();
      for (const topic of topics) this.#on.changed(topic);
    };
    this.#timer = systemClock.setTimer(this.#listening.poll, poll, { ref: false });
  }
}
