// Receivers that listen for the life of the process, and a sender that continues when all have received.

import { type Subject, timed } from '../harness.ts';

/** Counts deliveries. */
export class Audience {
  readonly receivers: number;
  /** Deliveries that are missing before the sender continues. */
  #missing = 0;
  #onComplete: () => void = () => {};

  constructor(receivers: number) {
    this.receivers = receivers;
  }

  /** Called for each received value: values come in order, and none is lost or duplicated. */
  received(value: number, expected: number): void {
    if (value !== expected) throw new Error(`received ${value} instead of ${expected}`);
    if (--this.#missing === 0) this.#onComplete();
  }

  /** Calls `send`, and waits until every receiver has received `messages` more. */
  async after(messages: number, send: () => unknown): Promise<void> {
    this.#missing = messages * this.receivers;
    const all = new Promise<void>((resolve) => {
      this.#onComplete = resolve;
    });
    send();
    await all;
  }
}

/** Sends one value, or several when the rival has a separate call for that. */
type Send = ((value: number) => unknown) | { readonly all: (values: readonly number[]) => unknown };

/** A way to send to all receivers. */
export interface Rival {
  readonly name: string;
  /** Makes the channel, starts a loop for each receiver, and returns the send function. */
  readonly open: (audience: Audience) => Send | Promise<Send>;
}

/** The pattern of the messages. */
export interface Traffic {
  readonly receivers: number;
  /** Messages that are sent in one synchronous run. */
  readonly burst: number;
  /** Such runs in one measured round. Each starts when every receiver has received the previous one. */
  readonly bursts: number;
}

/** Measures the time of one delivery. */
export function delivering({ name, open }: Rival, { receivers, burst, bursts }: Traffic): Subject {
  const audience = new Audience(receivers);
  let sender: Promise<Send> | undefined;
  let sent = 0;
  const batch = receivers * burst * bursts;
  const run = async (): Promise<void> => {
    sender ??= Promise.resolve(open(audience));
    const send = await sender;
    const sendAll = (): void => {
      if (typeof send === 'function') for (let i = 0; i < burst; i++) send(sent++);
      else send.all(Array.from({ length: burst }, () => sent++));
    };
    for (let i = 0; i < bursts; i++) await audience.after(burst, sendAll);
  };
  // No further check is needed: it continues only when every receiver has received, and each receiver checks the order.
  return timed({ name, batch, isAsync: true, run });
}
