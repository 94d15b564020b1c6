// Two sources, written from the public documentation of the protocol alone and used in every call that selects: a stream that
// closes, and a one-shot event. They import only exports of `@quiesce/cancellation-token`.
import {
  ClosedError,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import { match, select, selectEach, settle, timeout, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, now, rejection, turn } from './vocabulary.ts';

/** A queue: each value goes to one waiter, in order. */
class Queue<T> implements Source<T> {
  readonly #values: T[] = [];
  readonly #waiters: Set<Waiter> = new Set();
  #isClosed = false;

  push(value: T): void {
    this.#values.push(value);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Wakes waiters until one has taken the value. A waiter that finds no value parks again, after the end of this pass. */
  #wake(): void {
    for (const waiter of [...this.#waiters]) {
      if (this.#values.length === 0 && !this.#isClosed) return;
      if (this.#waiters.delete(waiter)) waiter.wake();
    }
  }

  readonly [source]: SourceProtocol<T> = {
    poll: () => {
      const [value] = this.#values;
      if (this.#values.length > 0) {
        this.#values.shift();
        return value as T;
      }
      if (this.#isClosed) throw new ClosedError('the queue is closed');
      return PENDING;
    },
    park: (waiter) => void this.#waiters.add(waiter),
    unpark: (waiter) => void this.#waiters.delete(waiter),
  };
}

/** A one-shot event. */
class Moment<T> implements Source<T> {
  #value: { readonly of: T } | undefined;
  readonly #waiters: Set<Waiter> = new Set();

  come(value: T): void {
    this.#value = { of: value };
    for (const waiter of [...this.#waiters]) if (this.#waiters.delete(waiter)) waiter.wake();
  }

  readonly [source]: SourceProtocol<T> = {
    once: true,
    poll: () => (this.#value === undefined ? PENDING : this.#value.of),
    park: (waiter) => void this.#waiters.add(waiter),
    unpark: (waiter) => void this.#waiters.delete(waiter),
  };
}

describe('a third-party source', () => {
  it('is a branch of select when it is ready, when it becomes ready later, and when it loses', async () => {
    const queue = new Queue<number>();
    queue.push(1);
    expect(await select({ queue })).toEqual({ branch: 'queue', value: 1 });
    const later = select({ queue, moment: new Moment() });
    expect(await now(later)).toBe('pending');
    queue.push(2);
    expect(await later).toEqual({ branch: 'queue', value: 2 });
    expect(await select({ queue, ready: cancelled(0) })).toMatchObject({ branch: 'ready' });
    expect(await select({ queue, tick: turn() })).toMatchObject({ branch: 'tick' });
    expect(queue.waiting).toBe(0);
  });

  it('serves several selects in order, with one value each', async () => {
    const queue = new Queue<string>();
    const all = [0, 1, 2].map(() => select({ queue }));
    for (const value of ['a', 'b', 'c']) queue.push(value);
    expect((await Promise.all(all)).map(({ value }) => value)).toEqual(['a', 'b', 'c']);
  });

  it('works with trySelect, wait, timeout, match and settle', async () => {
    const queue = new Queue<number>();
    expect(trySelect({ queue })).toEqual({ ok: false, why: 'pending' });
    for (const n of [1, 2, 3, 4]) queue.push(n);
    expect(trySelect({ queue })).toEqual({ ok: true, branch: 'queue', value: 1 });
    expect(await wait(queue)).toBe(2);
    expect(await timeout(1_000, queue)).toBe(3);
    expect(await select({ queue: match(queue, (n) => n > 9), else: () => 'no' })).toMatchObject({ branch: 'else' });
    queue.close();
    expect(await select({ queue: settle(queue) })).toMatchObject({ value: { status: 'rejected' } });
    expect(await select({ queue: match(queue), else: () => 'closed' })).toMatchObject({ value: 'closed' });
    expect(await rejection(select({ queue }))).toBeInstanceOf(ClosedError);
  });

  it('is a stream of selectEach until it is closed, and a one-shot source is off once it has won', async () => {
    const [queue, moment] = [new Queue<number>(), new Moment<string>()];
    const seen: unknown[] = [];
    moment.come('moment');
    queue.push(1);
    queue.push(2);
    for await (const { value } of selectEach.biased({ moment, queue })) {
      seen.push(value);
      if (value === 2) {
        void turn().then(() => {
          queue.push(3);
          queue.close();
        });
      }
    }
    expect(seen).toEqual(['moment', 1, 2, 3]);
    expect(queue.waiting).toBe(0);
  });
});
