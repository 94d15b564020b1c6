// The same work for each rival: several producers send numbers, and one consumer receives and checks all of them.

import { channel, unboundedChannel } from '@quiesce/channel';
import { channel as cspChannel } from '@thi.ng/csp';
import { Effect, Queue } from 'effect';
import { Queue as JobQueue } from 'it-queue';
import { Chan } from 'ts-chan';
import { expectCount } from '../harness.ts';

/** All values of one run. */
export const MESSAGES = 4_000;

/** The shape of the work. */
export interface Shape {
  readonly producers: number;
  /** The capacity, or `undefined` for room for all values, so that producers never wait. */
  readonly capacity: number | undefined;
}

/** Checks received values: none lost, none duplicated, and the values of each producer in order. */
class Check {
  readonly #next: number[];
  readonly #each: number;
  count = 0;

  constructor({ producers }: Shape) {
    this.#each = MESSAGES / producers;
    this.#next = Array.from({ length: producers }, (_, producer) => producer * this.#each);
  }

  see(value: number | undefined): void {
    const producer = Math.floor((value ?? -1) / this.#each);
    if (this.#next[producer] !== value) throw new Error(`received ${value} out of order`);
    this.#next[producer] = (value as number) + 1;
    this.count++;
  }

  end(): void {
    expectCount(this.count, MESSAGES);
  }
}

/** Calls `produce` for each producer with its first value and the value after its last. */
function produceAll({ producers }: Shape, produce: (from: number, to: number) => Promise<void>): Promise<unknown> {
  const each = MESSAGES / producers;
  return Promise.all(
    Array.from({ length: producers }, (_, producer) => produce(producer * each, (producer + 1) * each)),
  );
}

/** One message at a time: the other producers continue before the next one. */
const breath = (): Promise<void> => Promise.resolve();

function open({ capacity }: Shape) {
  if (capacity !== undefined) {
    const [tx, rx] = channel<number>(capacity);
    return { rx, close: () => tx.close(), send: (value: number): Promise<void> => tx.send(value) };
  }
  const [tx, rx] = unboundedChannel<number>();
  const send = (value: number): Promise<void> => {
    tx.send(value);
    return breath();
  };
  return { rx, close: () => tx.close(), send };
}

export async function quiesce(shape: Shape): Promise<void> {
  const { rx, send } = open(shape);
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) await send(value);
  });
  for (let i = 0; i < MESSAGES; i++) check.see(await rx.recv());
  await producing;
  check.end();
}

export async function quiesceIterated(shape: Shape): Promise<void> {
  const { rx, send, close } = open(shape);
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) await send(value);
  }).then(close);
  for await (const value of rx) check.see(value);
  await producing;
  check.end();
}

/** Code without any library: an array, and the functions that settle waiters. */
export async function byHand(shape: Shape): Promise<void> {
  const capacity = shape.capacity ?? Number.POSITIVE_INFINITY;
  const [queue, takers, senders]: [number[], ((value: number) => void)[], (() => void)[]] = [[], [], []];
  const send = (value: number): Promise<void> => {
    const taker = takers.shift();
    if (taker !== undefined) taker(value);
    else queue.push(value);
    return queue.length <= capacity ? breath() : new Promise((resolve) => senders.push(resolve));
  };
  const recv = (): Promise<number> => {
    const value = queue.shift();
    if (value === undefined) return new Promise((resolve) => takers.push(resolve));
    senders.shift()?.();
    return Promise.resolve(value);
  };
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) await send(value);
  });
  for (let i = 0; i < MESSAGES; i++) check.see(await recv());
  await producing;
  check.end();
}

/** It never has more than 1,024 waiting writes, so "room for all" is a buffer of that size. */
export async function csp(shape: Shape): Promise<void> {
  const chan = cspChannel<number>(shape.capacity ?? MESSAGES);
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) {
      const written = chan.write(value);
      await (shape.capacity === undefined ? breath() : written);
    }
  });
  for (let i = 0; i < MESSAGES; i++) check.see(await chan.read());
  await producing;
  check.end();
}

export async function tsChan(shape: Shape): Promise<void> {
  const chan = new Chan<number>(shape.capacity ?? MESSAGES);
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) {
      if (shape.capacity !== undefined) await chan.send(value);
      else {
        expectCount(Number(chan.trySend(value)), 1);
        await breath();
      }
    }
  });
  for (let i = 0; i < MESSAGES; i++) check.see((await chan.recv()).value);
  await producing;
  check.end();
}

export async function effectQueue(shape: Shape): Promise<void> {
  const check = new Check(shape);
  const each = MESSAGES / shape.producers;
  const program = Effect.gen(function* () {
    const queue = yield* shape.capacity === undefined
      ? Queue.unbounded<number>()
      : Queue.bounded<number>(shape.capacity);
    const produce = (from: number) =>
      Effect.gen(function* () {
        for (let value = from; value < from + each; value++) yield* Queue.offer(queue, value);
      });
    const froms = Array.from({ length: shape.producers }, (_, producer) => producer * each);
    const consume = Effect.gen(function* () {
      for (let i = 0; i < MESSAGES; i++) check.see(yield* Queue.take(queue));
    });
    yield* Effect.all([consume, ...froms.map(produce)], { concurrency: 'unbounded', discard: true });
  });
  await Effect.runPromise(program);
  check.end();
}

export async function transformStream(shape: Shape): Promise<void> {
  const room = new CountQueuingStrategy({ highWaterMark: shape.capacity ?? Number.POSITIVE_INFINITY });
  const { readable, writable } = new TransformStream<number, number>({}, room);
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  const check = new Check(shape);
  const producing = produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) {
      const written = writer.write(value);
      await (shape.capacity === undefined ? breath() : written);
    }
  });
  for (let i = 0; i < MESSAGES; i++) check.see((await reader.read()).value);
  await producing;
  check.end();
}

/** A queue of jobs instead of values: each job returns its value, with a concurrency limit, and the results are iterated. */
export async function itQueue(shape: Shape): Promise<void> {
  const queue = new JobQueue<number>({ concurrency: shape.capacity ?? Number.POSITIVE_INFINITY });
  const check = new Check(shape);
  const consuming = (async () => {
    for await (const value of queue) {
      check.see(value);
      if (check.count === MESSAGES) break;
    }
  })();
  await produceAll(shape, async (from, to) => {
    for (let value = from; value < to; value++) {
      const done = queue.add(async () => value);
      await (shape.capacity === undefined ? breath() : done);
    }
  });
  await consuming;
  check.end();
}
