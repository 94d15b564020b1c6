import { systemClock, type Timer } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { FleetListener, FleetSubscription, FleetTopic } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
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
  /** Returns a text for each topic, which differs after a change. */
  peek(): Promise<readonly string[]>;
  onClosed(subscription: FleetSubscription): void;
}

const topics: readonly FleetTopic[] = ['cancels', 'inbox', 'slots'];
/** How long the first hint may take, in ms. */
const PROBE = 1_000;
let probeCount = 0;

/**
 * The subscription of one member, on a connection of its own. It says `push` only after a hint of its own has arrived: a proxy or
 * an access list may keep hints back. Otherwise it ends that connection, and asks for changes instead.
 */
export class RedisSubscription implements FleetSubscription {
  hints: 'push' | 'polling' = 'push';
  readonly #listening: RedisListening;
  readonly #on: FleetListener;
  readonly #link: RedisLink;
  /** Whether `open` has fulfilled, and neither `close` nor a failure has followed. */
  #isOpen = false;
  /** Resolve the probes in progress, by their text. */
  readonly #probes: Map<string, () => void> = new Map();
  /** The timer of the next poll. `undefined` unless polling. */
  #timer: Timer | undefined;
  /** What the last poll has seen. */
  #seen: readonly string[] = [];

  constructor(listening: RedisListening, on: FleetListener) {
    this.#listening = listening;
    this.#on = on;
    this.#link = new RedisLink(listening.client, listening.limit, (error) => {
      if (this.hints === 'push') this.#break(error);
    });
  }

  /** @throws (rejects) when the server cannot be reached */
  async open(): Promise<void> {
    const { channels, peek } = this.#listening;
    const isSubscribed = await this.#link
      .run('SUBSCRIBE', (wire) => wire.subscribe(channels, (text) => this.#receive(text)))
      .then(
        () => this.#probe(PROBE),
        (error) => {
          if (this.#link.isDown) throw error;
          return false;
        },
      );
    if (!isSubscribed) {
      this.hints = 'polling';
      this.#end();
      this.#seen = await peek();
      this.#pollLater();
    } else if (this.#link.isDown)
      throw new EngineUnavailableError('Redis has ended the connection of the subscription');
    this.#isOpen = true;
  }

  async check(): Promise<void> {
    if (this.hints === 'polling' || (await this.#probe(this.#listening.limit))) return;
    throw new EngineUnavailableError('Redis no longer delivers what is published');
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#end();
    if (this.#timer !== undefined) systemClock.clearTimer(this.#timer);
    this.#listening.onClosed(this);
  }

  #end(): void {
    this.#link.fail(new Error('The subscription is closed'));
  }

  #break(error: unknown): void {
    if (!this.#isOpen) return;
    void this.close();
    this.#on.broken(error);
  }

  #receive(text: string): void {
    this.#probes.get(text)?.();
    if (this.#isOpen && (topics as readonly string[]).includes(text)) this.#on.changed(text as FleetTopic);
  }

  /** Returns whether a hint of our own arrives in time. */
  async #probe(ms: number): Promise<boolean> {
    const text = `probe ${++probeCount}`;
    const arrived = new Promise<boolean>((resolve) => {
      // One more round of the event loop reads what has arrived while this process was stopped.
      const onLimit = (): Timer => systemClock.setTimer(0, () => resolve(false), { ref: false });
      const timer = systemClock.setTimer(ms, onLimit, { ref: false });
      this.#probes.set(text, () => {
        systemClock.clearTimer(timer);
        resolve(true);
      });
    });
    // Where it fails, nothing arrives.
    this.#listening.publish(text).catch(ignore);
    const hasArrived = await arrived;
    this.#probes.delete(text);
    return hasArrived;
  }

  #pollLater(): void {
    this.#timer = systemClock.setTimer(this.#listening.poll, () => void this.#poll(), { ref: false });
  }

  async #poll(): Promise<void> {
    try {
      const seen = await this.#listening.peek();
      if (!this.#isOpen) return;
      for (const [i, topic] of topics.entries()) if (seen[i] !== this.#seen[i]) this.#on.changed(topic);
      this.#seen = seen;
      this.#pollLater();
    } catch (error) {
      this.#break(error);
    }
  }
}
