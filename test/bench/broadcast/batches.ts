// Bursts of messages. Each receiver is a loop that takes all available values.

import type { BroadcastReceiver } from '@quiesce/broadcast-channel';
import { Effect, PubSub } from 'effect';
import { pushableV } from 'it-pushable';
import type { Audience, Rival } from './audience.ts';
import { BareRing } from './bare-ring.ts';
import { channelFor, each, pubsubFor } from './rivals.ts';

const CAPACITY = 256;
/** More than a burst. */
const LIMIT = 256;

const recvMany: Rival = {
  name: 'quiesce',
  open: (audience) => {
    const [tx, receivers] = channelFor(audience, CAPACITY);
    const listen = async (rx: BroadcastReceiver<number>): Promise<void> => {
      for (let next = 0; ; ) next = hearAll(audience, await rx.recvMany(LIMIT), next);
    };
    for (const rx of receivers) void listen(rx);
    return (value) => tx.send(value);
  },
};

const bareRing: Rival = {
  name: 'a bare ring',
  open: (audience) => {
    const ring = new BareRing<number>(CAPACITY);
    each(audience, async () => {
      const rx = ring.subscribe();
      for (let next = 0; ; ) next = hearAll(audience, await rx.recvMany(LIMIT), next);
    });
    return (value) => ring.send(value);
  },
};

const itPushable: Rival = {
  name: 'it-pushable, one for each',
  open: (audience) => {
    const queues = Array.from({ length: audience.receivers }, () => pushableV<number>({ objectMode: true }));
    for (const queue of queues) void iterate(audience, queue);
    return (value) => {
      for (const queue of queues) queue.push(value);
    };
  },
};

async function iterate(audience: Audience, batches: AsyncIterable<number[]>): Promise<void> {
  let next = 0;
  for await (const values of batches) next = hearAll(audience, values, next);
}

function effect(name: string, make: (capacity: number) => Effect.Effect<PubSub.PubSub<number>>): Rival {
  return {
    name,
    open: async (audience) => {
      const [pubsub, subscriptions] = await pubsubFor(audience, make(CAPACITY));
      const listen = (subscription: PubSub.Subscription<number>) =>
        Effect.gen(function* () {
          for (let next = 0; ; ) next = hearAll(audience, yield* PubSub.takeAll(subscription), next);
        });
      for (const subscription of subscriptions) Effect.runFork(listen(subscription));
      // Sending one by one, and receiving in batches, costs it more than 1,000 ns a delivery.
      return { all: (values) => Effect.runFork(PubSub.publishAll(pubsub, values)) };
    },
  };
}

/** Returns the value that has to come next. */
function hearAll(audience: Audience, values: readonly number[], first: number): number {
  let next = first;
  for (const value of values) audience.received(value, next++);
  return next;
}

export const batchRivals: readonly Rival[] = [
  recvMany,
  bareRing,
  itPushable,
  effect('Effect PubSub bounded, takeAll', PubSub.bounded),
  effect('Effect PubSub sliding, takeAll', PubSub.sliding),
];
