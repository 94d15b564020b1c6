// The memory that is retained for receivers that do not read.

import { EventEmitter, on } from 'node:events';
import { broadcast } from '@quiesce/broadcast-channel';
import { PubSub } from 'effect';
import Emittery from 'emittery';
import { pushable } from 'it-pushable';
import { atMost } from '../budget.ts';
import { collect, type Row, type Subject } from '../harness.ts';
import { BareRing } from './bare-ring.ts';
import { pubsubFor } from './rivals.ts';

const RECEIVERS = 64;
const MESSAGES = 20_000;
const CAPACITY = 1024;

interface Channel {
  readonly send: (value: object) => unknown;
  /** Objects that have to be retained, so that nothing is collected. */
  readonly kept: readonly unknown[];
}

/** Returns the heap of a channel and its receivers after all messages, in bytes. */
function holding(name: string, open: () => Channel | Promise<Channel>): Subject {
  return {
    name,
    sample: async () => {
      collect();
      const before = used();
      const { send, kept } = await open();
      for (let id = 0; id < MESSAGES; id++) await send({ id });
      collect();
      const after = used();
      if (kept.length < RECEIVERS) throw new Error(`${name}: ${kept.length} receivers instead of ${RECEIVERS}`);
      return after - before;
    },
  };
}

/** Typed arrays are outside the heap. */
function used(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function times<T>(make: () => T): T[] {
  return Array.from({ length: RECEIVERS }, make);
}

function quiesce(): Channel {
  const tx = broadcast.sender<object>(CAPACITY);
  return { send: (value) => tx.send(value), kept: times(() => tx.subscribe()) };
}

function bareRing(): Channel {
  const ring = new BareRing<object>(CAPACITY);
  return { send: (value) => ring.send(value), kept: times(() => ring.subscribe()) };
}

function eventsOn(): Channel {
  const emitter = new EventEmitter().setMaxListeners(0);
  return { send: (value) => emitter.emit('message', value), kept: times(() => on(emitter, 'message')) };
}

function itPushable(): Channel {
  const queues = times(() => pushable<object>({ objectMode: true }));
  const send = (value: object): void => {
    for (const queue of queues) queue.push(value);
  };
  return { send, kept: queues };
}

async function effectSliding(): Promise<Channel> {
  const [pubsub, subscriptions] = await pubsubFor({ receivers: RECEIVERS }, PubSub.sliding<object>(CAPACITY));
  return { send: (value) => PubSub.publishUnsafe(pubsub, value), kept: subscriptions };
}

function emittery(): Channel {
  const emitter = new Emittery<{ message: object }>();
  return { send: (value) => emitter.emit('message', value), kept: times(() => emitter.events('message')) };
}

export const stalled: Row = {
  name: `memory with ${RECEIVERS} stalled receivers, ${MESSAGES.toLocaleString('en')} messages, capacity ${CAPACITY.toLocaleString('en')}`,
  unit: 'B',
  subjects: () => [
    holding('quiesce', quiesce),
    holding('a bare ring', bareRing),
    holding('events.on', eventsOn),
    holding('it-pushable, one for each', itPushable),
    holding('Effect PubSub sliding', effectSliding),
    holding('emittery', emittery),
  ],
  // The ring alone: the values, 12 bytes a slot, and 64 receivers. It has 50 kB, and a collection moves that by a tenth.
  budgets: [{ against: 'a bare ring', must: atMost(1.5) }],
};
