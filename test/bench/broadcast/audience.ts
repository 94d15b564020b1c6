// Receivers that listen for as long as the process lives, and a sender that goes on when all of them have heard.

import { type Subject, timed } from '../harness.ts';

/** Counts who has heard. */
export class Audience {
  readonly receivers: number;
  /** Deliveries that are still to come before the sender goes on. */
  #missing = 0;
  #allHeard: () => void = () => {};

  constructor(receivers: number) {
    this.receivers = receivers;
  }

  /** A receiver tells what it has got: values come in order, none is lost, none comes twice. */
  hear(value: number, expected: number): void {
    if (value !== expected) throw new Error(`received ${value} instead of ${expected}`);
    if (--this.#missing === 0) this.#allHeard();
  }

  /** Does `send` and waits until everybody has heard `messages` more. */
  async after(messages: number, send: () => unknown): Promise<void> {
    this.#missing = messages * this.receivers;
    const all = new Promise<void>((resolve) => {
      this.#allHeard = resolve;
    });
    send();
    await all;
  }
}

/** Sends one value, or, where that is another thing, several. */
type Send = ((value: number) => unknown) | { readonly all: (values: readonly number[]) => unknown };

/** A way of telling everybody. */
export interface Rival {
  readonly name: string;
  /** Makes the channel, starts a loop for each receiver, and returns what sends. */
  readonly open: (audience: Audience) => Send | Promise<Send>;
}

/** How the messages come. */
export interface Traffic {
  readonly receivers: number;
  /** Messages that are sent in one synchronous run. */
  readonly burst: number;
  /** Such runs in one measured turn, each when everybody has heard the one before. */
  readonly bursts: number;
}

/** What one delivery takes. */
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
  // Nothing else to check: it goes on only when everybody has heard, and each of them knows what has to come next.
  return timed({ name, batch, isAsync: true, run });
}
