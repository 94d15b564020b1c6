// One message at a time. Each receiver is a loop.

import { EventEmitter, on } from 'node:events';
import { type BroadcastReceiver, type BroadcastSender, broadcast } from '@quiesce/broadcast-channel';
import { channel, mult } from '@thi.ng/csp';
import { Effect, PubSub, Scope } from 'effect';
import Emittery from 'emittery';
import { pushable } from 'it-pushable';
import { Subject } from 'rxjs';
import type { Audience, Rival } from './audience.ts';
import { BareRing } from './bare-ring.ts';

const CAPACITY = 128;

/** Calls `start` once for each receiver. */
export function each({ receivers }: Audience, start: () => unknown): void {
  for (let i = 0; i < receivers; i++) start();
}

async function iterate(audience: Audience, values: AsyncIterable<number>): Promise<void> {
  let next = 0;
  for await (const value of values) audience.received(value, next++);
}

/** A channel with one receiver for each one in the audience. */
export function channelFor(
  { receivers }: Audience,
  capacity: number,
): [tx: BroadcastSender<number>, all: BroadcastReceiver<number>[]] {
  const tx = broadcast.sender<number>(capacity);
  return [tx, Array.from({ length: receivers }, () => tx.subscribe())];
}

/** A PubSub with one subscription for each. */
export async function pubsubFor<T>(
  { receivers }: Pick<Audience, 'receivers'>,
  make: Effect.Effect<PubSub.PubSub<T>>,
): Promise<[pubsub: PubSub.PubSub<T>, all: PubSub.Subscription<T>[]]> {
  const pubsub = await Effect.runPromise(make);
  const scope = Scope.makeUnsafe();
  const subscribe = Scope.provide(PubSub.subscribe(pubsub), scope);
  const all: PubSub.Subscription<T>[] = [];
  for (let i = 0; i < receivers; i++) all.push(await Effect.runPromise(subscribe));
  return [pubsub, all];
}

const recv: Rival = {
  name: 'quiesce',
  open: (audience) => {
    const [tx, receivers] = channelFor(audience, CAPACITY);
    const listen = async (rx: BroadcastReceiver<number>): Promise<void> => {
      for (let next = 0; ; next++) audience.received(await rx.recv(), next);
    };
    for (const rx of receivers) void listen(rx);
    return (value) => tx.send(value);
  },
};

const forAwait: Rival = {
  name: 'quiesce, for await',
  open: (audience) => {
    const [tx, receivers] = channelFor(audience, CAPACITY);
    for (const rx of receivers) void iterate(audience, rx);
    return (value) => tx.send(value);
  },
};

const bareRing: Rival = {
  name: 'a bare ring',
  open: (audience) => {
    const ring = new BareRing<number>(CAPACITY);
    each(audience, async () => {
      const rx = ring.subscribe();
      for (let next = 0; ; next++) audience.received(await rx.recv(), next);
    });
    return (value) => ring.send(value);
  },
};

const bareRingForAwait: Rival = {
  name: 'a bare ring, for await',
  open: (audience) => {
    const ring = new BareRing<number>(CAPACITY);
    each(audience, () => void iterate(audience, ring.subscribe()));
    return (value) => ring.send(value);
  },
};

const eventsOn: Rival = {
  name: 'events.on',
  open: (audience) => {
    const emitter = new EventEmitter().setMaxListeners(0);
    each(audience, async () => {
      let next = 0;
      for await (const [value] of on(emitter, 'message')) audience.received(value as number, next++);
    });
    return (value) => emitter.emit('message', value);
  },
};

const itPushable: Rival = {
  name: 'it-pushable, one for each',
  open: (audience) => {
    const queues = Array.from({ length: audience.receivers }, () => pushable<number>({ objectMode: true }));
    for (const queue of queues) void iterate(audience, queue);
    return (value) => {
      for (const queue of queues) queue.push(value);
    };
  },
};

/** One fiber for each receiver. The sender needs no fiber, which is the fastest way. */
function effect(name: string, make: (capacity: number) => Effect.Effect<PubSub.PubSub<number>>): Rival {
  return {
    name,
    open: async (audience) => {
      const [pubsub, subscriptions] = await pubsubFor(audience, make(CAPACITY));
      const listen = (subscription: PubSub.Subscription<number>) =>
        Effect.gen(function* () {
          for (let next = 0; ; next++) audience.received(yield* PubSub.take(subscription), next);
        });
      for (const subscription of subscriptions) Effect.runFork(listen(subscription));
      return (value) => PubSub.publishUnsafe(pubsub, value);
    },
  };
}

const rxjs: Rival = {
  name: 'rxjs Subject (callbacks, no loops)',
  open: (audience) => {
    const subject = new Subject<number>();
    each(audience, () => {
      let next = 0;
      subject.subscribe((value) => audience.received(value, next++));
    });
    return (value) => subject.next(value);
  },
};

const emittery: Rival = {
  name: 'emittery',
  open: (audience) => {
    const emitter = new Emittery<{ message: number }>();
    each(audience, () => void iterate(audience, emitter.events('message')));
    return (value) => emitter.emit('message', value);
  },
};

const csp: Rival = {
  name: '@thi.ng/csp mult',
  open: (audience) => {
    const source = channel<number>(CAPACITY);
    const all = mult(source);
    each(audience, () => void iterate(audience, all.subscribe()));
    return (value) => source.write(value);
  },
};

export const rivals: readonly Rival[] = [
  recv,
  forAwait,
  bareRing,
  bareRingForAwait,
  eventsOn,
  itPushable,
  effect('Effect PubSub bounded', PubSub.bounded),
  effect('Effect PubSub sliding', PubSub.sliding),
  rxjs,
  emittery,
  csp,
];
