import type { Clock } from '@quiesce/cancellation-token';
import type { Appender } from './appender.ts';
import type { FleetRecord } from './engine.ts';
import type { OwnAnswer } from './pending-cancel.ts';
import { encodeAnswer } from './wire.ts';

/** How long an answer is kept, in ms. */
const ANSWER_TTL = 60_000;

/**
 * The records that this node owes to other members: its answers, and the cancels that the engine has lost.
 *
 * An answer is sent when a cancel was applied, and when the last run that it found has ended. It is kept for 60 s, and sent again
 * after each reconnection and after each whole read.
 */
export class Outbox {
  readonly #appender: Appender;
  readonly #clock: Clock;
  /** The records of answers, and until when they are repeated. */
  readonly #answers: Map<string, { readonly record: FleetRecord; readonly until: number }> = new Map();
  readonly #unsent: Set<Promise<unknown>> = new Set();

  constructor(appender: Appender, clock: Clock) {
    this.#appender = appender;
    this.#clock = clock;
  }

  /** Sends the present state of the runs that a cancel of the node `to` has found. */
  answer(to: string, answer: OwnAnswer): void {
    const state = answer.read();
    const id = `${state.cancel}.${state.node}.${state.runningCount === 0 ? 'ended' : 'applied'}`;
    const record = { log: to, id, body: encodeAnswer(state), ttl: ANSWER_TTL };
    this.#answers.set(id, { record, until: this.#clock.now() + ANSWER_TTL });
    this.send(record);
  }

  /** Sends a record until the engine has confirmed it, for as long as its `ttl` or for `ms`. */
  send(record: FleetRecord, ms: number = record.ttl): void {
    const sent: Promise<unknown> = this.#appender.add(record, ms).then(() => this.#unsent.delete(sent));
    this.#unsent.add(sent);
  }

  /** Sends the answers again: the engine may have lost them. */
  repeatAnswers(): void {
    const now = this.#clock.now();
    for (const [id, { record, until }] of this.#answers) {
      if (until <= now) this.#answers.delete(id);
      else this.send(record, until - now);
    }
  }

  /** Forgets the answers that are no longer repeated. */
  sweep(now: number): void {
    for (const [id, { until }] of this.#answers) {
      if (until > now) return;
      this.#answers.delete(id);
    }
  }

  /** Sends what the engine has not confirmed, and takes at most `ms`. */
  async flush(ms: number): Promise<void> {
    if (this.#unsent.size === 0) return;
    this.#appender.retryNow();
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve, { ref: true });
      void Promise.all(this.#unsent).then(() => {
        this.#clock.clearTimer(timer);
        resolve();
      });
    });
  }
}
