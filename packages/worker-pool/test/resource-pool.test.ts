import {
  CancellationToken,
  CancelledError,
  ClosedError,
  setUncaughtHandler,
  TimeoutError,
} from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { Drainable } from '@quiesce/scope';
import { select } from '@quiesce/select';
import { type Lease, ResourcePool, type ResourcePoolOptions } from '@quiesce/worker-pool';
import { describe, expect, it, vi } from 'vitest';
import { deaf, rejection, turn, uncaught } from './vocabulary.ts';

const never = CancellationToken.never;

interface Thing {
  readonly id: number;
}

/** A pool of numbered things, and what was done with them. */
function things(options: Partial<ResourcePoolOptions<Thing>> = {}) {
  const log: string[] = [];
  const clock = new VirtualClock();
  let made = 0;
  const pool = new ResourcePool<Thing>({
    create: () => {
      log.push(`make ${++made}`);
      return { id: made };
    },
    close: ({ id }) => void log.push(`close ${id}`),
    max: 2,
    clock,
    ...options,
  });
  return { pool, log, clock };
}

const ids = (...leases: Lease<Thing>[]): number[] => leases.map(({ resource }) => resource.id);

describe('acquiring', () => {
  it('makes resources when asked for, as many as allowed, and lends them again', async () => {
    const { pool, log } = things();
    const first = await pool.acquire();
    const second = await pool.acquire();
    expect([ids(first, second), pool.inFlight, pool.idle]).toEqual([[1, 2], 2, 0]);
    second.release();
    first.release();
    first.release();
    expect([pool.inFlight, pool.idle]).toEqual([0, 2]);
    expect(ids(await pool.acquire())).toEqual([1]);
    expect(log).toEqual(['make 1', 'make 2']);
  });

  it('makes a resource for each acquire when `max` is Infinity', async () => {
    const { pool } = things({ max: Number.POSITIVE_INFINITY });
    expect(ids(...(await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])))).toEqual([1, 2, 3]);
  });

  it('waits in line when all are lent', async () => {
    const { pool } = things({ max: 1 });
    const first = await pool.acquire();
    const order: string[] = [];
    const waiting = ['a', 'b'].map(async (name) => {
      using lease = await pool.acquire();
      order.push(`${name}${lease.resource.id}`);
    });
    await turn();
    expect(order).toEqual([]);
    first.release();
    await Promise.all(waiting);
    expect(order).toEqual(['a1', 'b1']);
  });

  it('can be given up by a signal and by a time limit, and has taken nothing then', async () => {
    const { pool, clock } = things({ max: 1 });
    const first = await pool.acquire();
    const signal = new AbortController();
    const [left, late] = [rejection(pool.acquire({ signal: signal.signal })), rejection(pool.acquire({ timeout: 50 }))];
    signal.abort('left');
    await clock.advance(50);
    expect(await left).toBe('left');
    expect(await late).toBeInstanceOf(TimeoutError);
    first.release();
    expect(ids(await pool.acquire())).toEqual([1]);
    expect(clock.pending).toBe(0);
  });

  it('given up while a resource is made leaves it to the next one', async () => {
    const making = deaf<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    const signal = new CancellationToken();
    const left = rejection(pool.acquire({ signal }));
    await turn();
    signal.cancel('left');
    expect(await left).toBe('left');
    const next = pool.acquire();
    making.fulfil({ id: 7 });
    expect(ids(await next)).toEqual([7]);
  });

  it('tells whoever makes a resource that nobody waits for it any more', async () => {
    const errors = uncaught();
    const { pool, clock } = things({
      max: 1,
      create: async (token) => {
        await token.cancelled();
        throw token.reason;
      },
    });
    const reason = new DOMException('left', 'AbortError');
    const signal = CancellationToken.timeout(0);
    expect(await rejection(pool.acquire({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    expect(await rejection(pool.acquire({ signal }))).toBe(signal.reason);
    const late = rejection(pool.acquire({ timeout: 50 }));
    await clock.advance(50);
    expect(await late).toBeInstanceOf(TimeoutError);
    const other = new CancellationToken();
    const left = rejection(pool.acquire({ signal: other }));
    await turn();
    other.cancel(reason);
    expect(await left).toBe(reason);
    await turn();
    expect(errors).toEqual([]);
  });

  it('fails with what making fails with, and the place is free again', async () => {
    let isDown = true;
    const error = new Error('connection refused');
    const { pool } = things({
      max: 1,
      create: () => {
        if (isDown) throw error;
        return { id: 1 };
      },
    });
    expect(await rejection(pool.acquire())).toBe(error);
    isDown = false;
    expect(ids(await pool.acquire())).toEqual([1]);
  });

  it('keeps the error of a create whose acquire was given up for the report, and does not end the process with it', async () => {
    const errors = uncaught();
    let making = deaf<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    for (const text of ['connection refused', 'connection reset']) {
      making = deaf();
      const signal = new CancellationToken();
      const left = rejection(pool.acquire({ signal }));
      await turn();
      signal.cancel('left');
      expect(await left).toBe('left');
      making.fail(new Error(text));
      await turn();
    }
    expect(pool.report().createErrors).toEqual({ count: 2, last: new Error('connection reset') });
    expect(errors).toEqual([]);
  });

  it('gives the reason to an acquire that is given up in the step in which its create fails', async () => {
    const errors = uncaught();
    const making = deaf<Thing>();
    const { pool } = things({ max: 1, create: async () => await making.run() });
    const signal = new CancellationToken();
    const left = rejection(pool.acquire({ signal }));
    await turn();
    making.fail(new Error('connection refused'));
    signal.cancel('left');
    expect(await left).toBe('left');
    await turn();
    expect([errors, pool.report().createErrors]).toEqual([[], { count: 1, last: new Error('connection refused') }]);
  });

  it('skips idle resources that are not usable any more, and closes them', async () => {
    const broken = new Set<number>([2]);
    const { pool, log } = things({ isUsable: ({ id }) => !broken.has(id) });
    const leases = [await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    expect(ids(await pool.acquire(), await pool.acquire())).toEqual([1, 3]);
    expect(log).toEqual(['make 1', 'make 2', 'close 2', 'make 3']);
  });

  it('counts a question that throws as a no, and loses neither the error nor the place', async () => {
    const errors = uncaught();
    const error = new Error('asked too much');
    const { pool } = things({
      max: 1,
      isUsable: () => {
        throw error;
      },
    });
    (await pool.acquire()).release();
    expect(ids(await pool.acquire())).toEqual([2]);
    await turn();
    expect(errors).toMatchObject([{ message: 'pool "resources": isUsable has failed', cause: error }]);
  });
});

describe('acquire as a branch of select', () => {
  it('takes a lease when it wins', async () => {
    const { pool } = things();
    const outcome = await select({ lease: pool.acquire(), never });
    expect([outcome.branch, pool.inFlight]).toEqual(['lease', 1]);
    if (outcome.branch === 'lease') expect(ids(outcome.value)).toEqual([1]);
  });

  it('takes nothing when it loses, in whichever state it is', async () => {
    for (const state of ['waiting', 'making', 'granted', 'ready']) {
      const { pool, log } = things({ max: 1 });
      const stop = new CancellationToken();
      if (state === 'ready') (await pool.acquire()).release();
      const held = state === 'waiting' || state === 'granted' ? await pool.acquire() : undefined;
      if (state === 'ready') stop.cancel('stop');
      const lost = select.biased({ stop, lease: pool.acquire() });
      if (state !== 'making') await turn();
      stop.cancel('stop');
      if (state === 'granted') held?.release();
      expect(await lost).toEqual({ branch: 'stop', value: 'stop' });
      await turn();
      held?.release();
      expect(pool.inFlight).toBe(0);
      expect(ids(await pool.acquire())).toEqual([1]);
      expect(log).toEqual(['make 1']);
    }
  });

  it('gives the lease to the next one when it has lost in the step in which it came', async () => {
    const making = deaf<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    const stop = new CancellationToken();
    const lost = select.biased({ stop, lease: pool.acquire() });
    await turn();
    const next = pool.acquire();
    making.fulfil({ id: 7 });
    stop.cancel('stop');
    expect((await lost).branch).toBe('stop');
    expect(ids(await next)).toEqual([7]);
  });

  it('cancels the token of the create that runs for it, and ends no process when that fails', async () => {
    const errors = uncaught();
    const reasons: unknown[] = [];
    const { pool } = things({
      create: async (token) => {
        await token.cancelled();
        reasons.push(token.reason);
        throw new Error('connection reset');
      },
    });
    const stop = new CancellationToken();
    const lost = select({ stop, lease: pool.acquire() });
    await turn();
    stop.cancel();
    await lost;
    await turn();
    expect([reasons, errors, pool.report().createErrors?.count]).toEqual([[expect.any(CancelledError)], [], 1]);
  });

  it('fails the select as it would reject', async () => {
    const { pool } = things();
    expect(await rejection(select({ lease: pool.acquire({ timeout: -1 }), never }))).toBeInstanceOf(RangeError);
    pool.stop();
    expect(await rejection(select({ lease: pool.acquire(), never }))).toBeInstanceOf(ClosedError);
  });

  it('can be awaited after it has lost, and gives the same lease to all who await it', async () => {
    const { pool } = things({ max: 1 });
    const held = await pool.acquire();
    const acquiring = pool.acquire();
    const stop = CancellationToken.alreadyCancelled();
    expect((await select.biased({ stop, acquiring })).branch).toBe('stop');
    const both = Promise.all([acquiring, acquiring]);
    held.release();
    const [one, two] = await both;
    expect([one === two, pool.inFlight]).toEqual([true, 1]);
  });
});

describe('a lease', () => {
  it('that was destroyed has its resource closed, and another one is made', async () => {
    const { pool, log } = things({ max: 1 });
    const lease = await pool.acquire();
    lease.destroy();
    lease.release();
    expect(ids(await pool.acquire())).toEqual([2]);
    expect(log).toEqual(['make 1', 'close 1', 'make 2']);
  });

  it('that is over refuses to hand out its resource, which somebody else may have', async () => {
    const { pool } = things({ name: 'db' });
    const lease = await pool.acquire();
    lease.release();
    expect(() => lease.resource).toThrow(ClosedError);
    expect(() => lease.resource).toThrow('this lease of pool "db" is over');
  });

  it('is released by use, also when the work fails', async () => {
    const { pool } = things({ max: 1 });
    const error = new Error('query');
    expect(await rejection(pool.use(() => Promise.reject(error)))).toBe(error);
    expect(await pool.use(async ({ id }) => id)).toBe(1);
    expect(pool.inFlight).toBe(0);
  });
});

describe('closing', () => {
  it('refuses newcomers, closes what is idle, waits for leases, and closes each', async () => {
    const { pool, log } = things({ name: 'db' });
    const [idle, lease] = [await pool.acquire(), await pool.acquire()];
    idle.release();
    const closing = pool.close({ timeout: 1_000 });
    expect(log).toContain('close 1');
    expect(String(await rejection(pool.acquire()))).toContain('pool "db" is closed');
    expect(log).not.toContain('close 2');
    lease.release();
    expect(await closing).toEqual({ closed: 2, failed: [], timedOut: 0, forced: 0, making: 0 });
  });

  it('refuses those that wait, with an error that names the pool', async () => {
    const { pool } = things({ max: 1, name: 'db' });
    const lease = await pool.acquire();
    const waiting = rejection(pool.acquire());
    await turn();
    pool.stop();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(String(await waiting)).toContain('pool "db" is closed');
    lease.release();
    await pool.drain(never);
  });

  it('gives each resource its own time, and says which failed', async () => {
    const error = new Error('socket hang up');
    const slow = deaf();
    const { pool, clock } = things({
      max: 3,
      closeTimeout: 100,
      close: ({ id }) => (id === 1 ? slow.run() : id === 2 ? Promise.reject(error) : undefined),
    });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    const closing = pool.close({ timeout: 10_000 });
    await clock.advance(100);
    expect(await closing).toMatchObject({
      closed: 1,
      timedOut: 1,
      forced: 0,
      failed: [error, { name: 'TimeoutError' }],
    });
    expect(clock.pending).toBe(0);
  });

  it('reports a closer that fails while the pool lends, or drains without a report, and keeps the last 100 errors', async () => {
    const errors = uncaught();
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { pool } = things({ max: 1, close: ({ id }) => Promise.reject(new Error(`closer ${id}`)) });
    for (let i = 1; i <= 150; i++) (await pool.acquire()).destroy();
    await turn();
    expect(errors).toHaveLength(150);
    expect(errors[0]).toMatchObject({
      message: 'pool "resources": a resource could not be closed',
      cause: new Error('closer 1'),
    });
    expect(pool.report().failed).toHaveLength(100);
    expect(pool.report().failed[99]).toEqual(new Error('closer 150'));
    (await pool.acquire()).release();
    setUncaughtHandler(undefined);
    await pool.drain(never);
    await turn();
    expect(print.mock.calls).toMatchObject([[{ cause: new Error('closer 151') }]]);
    print.mockRestore();
    expect(pool.report().failed).toHaveLength(101);
  });

  it('gives a closer that fails after its time to the report, as the cause of its TimeoutError', async () => {
    const errors = uncaught();
    const slow = deaf();
    const { pool, clock } = things({ closeTimeout: 100, close: () => slow.run() });
    (await pool.acquire()).release();
    const closing = pool.close({ timeout: 10_000 });
    await clock.advance(100);
    const report = await closing;
    slow.fail('at last');
    await turn();
    expect([errors, report.failed]).toMatchObject([[], [{ name: 'TimeoutError', cause: 'at last' }]]);
  });

  it('at the deadline closes leased resources under their holders, and says how many', async () => {
    const { pool, log, clock } = things();
    const lease = await pool.acquire();
    const closing = pool.close({ timeout: 500 });
    await clock.advance(499);
    expect(log).toEqual(['make 1']);
    await clock.advance(1);
    expect(await closing).toEqual({ closed: 1, failed: [], timedOut: 0, forced: 1, making: 0 });
    expect(() => lease.resource).toThrow(ClosedError);
    lease.release();
    expect(log).toEqual(['make 1', 'close 1']);
  });

  it('waits for a resource that is being made, lends it to whoever was accepted, and closes it after that', async () => {
    const making = deaf<Thing>();
    const { pool, log } = things({ create: () => making.run() });
    const accepted = pool.acquire();
    await turn();
    const closing = pool.close({ timeout: 1_000 });
    making.fulfil({ id: 9 });
    const lease = await accepted;
    expect(lease.resource.id).toBe(9);
    lease.release();
    expect(await closing).toMatchObject({ closed: 1 });
    expect(log).toEqual(['close 9']);
  });

  it('names a resource that is made against its token, closes it when it is there, and lends it to nobody', async () => {
    const making = deaf<Thing>();
    const { pool, log, clock } = things({ closeTimeout: 50, create: () => making.run() });
    const accepted = rejection(pool.acquire());
    await turn();
    const closing = pool.close({ timeout: 0 });
    await clock.advance(49);
    expect(await accepted).toBeInstanceOf(ClosedError);
    await clock.advance(1);
    expect(await closing).toMatchObject({ closed: 0, making: 1 });
    making.fulfil({ id: 9 });
    await turn();
    expect(log).toEqual(['close 9']);
    expect(pool.report()).toMatchObject({ closed: 1, making: 0 });
    expect(clock.pending).toBe(0);
  });

  it('tells those who make a resource at the deadline, waits for them, and closes what they make all the same', async () => {
    const errors = uncaught();
    const { pool, log, clock } = things({
      create: async (token) => {
        await token.cancelled();
        if (pool.inFlight === 0 && log.push('told') === 1) throw token.reason;
        return { id: 2 };
      },
    });
    const accepted = [rejection(pool.acquire()), rejection(pool.acquire())];
    await turn();
    expect(await pool.close({ timeout: 0 })).toEqual({ closed: 1, failed: [], timedOut: 0, forced: 0, making: 0 });
    for (const error of await Promise.all(accepted)) expect(error).toBeInstanceOf(ClosedError);
    expect(log).toEqual(['told', 'told', 'close 2']);
    await turn();
    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('makes nothing any more for whoever was granted a place in the same turn', async () => {
    const { pool, log } = things({ max: 1 });
    const first = await pool.acquire();
    const next = rejection(pool.acquire());
    await turn();
    first.release();
    pool.stop();
    expect(await next).toBeInstanceOf(ClosedError);
    await pool.drain(never);
    expect(log).toEqual(['make 1', 'close 1']);
    const other = things();
    const late = rejection(other.pool.acquire());
    other.pool.stop();
    expect(await late).toBeInstanceOf(ClosedError);
    expect(other.log).toEqual([]);
  });

  it('makes and lends nothing after `stop`, whenever it comes between the grant and the lease', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { pool, log } = things({ max: 1, isUsable: () => true });
      const lease = await pool.acquire();
      const waiting = pool.acquire().then(
        (next) => next,
        (error: unknown) => error,
      );
      await turn();
      lease.release();
      for (let i = 0; i < microtasks; i++) await undefined;
      pool.stop();
      const { inFlight } = pool;
      const next = await waiting;
      // What was lent before is counted, and has to be given back.
      if (inFlight === 0) expect(next).toBeInstanceOf(ClosedError);
      else (next as Lease<Thing>).release();
      await pool.drain(never);
      expect(log).toEqual(['make 1', 'close 1']);
    }
  });

  it('makes nothing for an acquire whose signal is cancelled between the grant and the lease', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { pool, log } = things({ max: 1 });
      const lease = await pool.acquire();
      const signal = new CancellationToken();
      const waiting = pool.acquire({ signal }).then(
        (next) => next,
        (error: unknown) => error,
      );
      await turn();
      lease.destroy();
      for (let i = 0; i < microtasks; i++) await undefined;
      const before = log.length;
      signal.cancel('left');
      const next = await waiting;
      if (before === 2) expect([next, log]).toEqual(['left', ['make 1', 'close 1']]);
      else if (next !== 'left') (next as Lease<Thing>).release();
      expect(pool.inFlight).toBe(0);
    }
  });

  it('makes nothing when `isUsable` has stopped the pool', async () => {
    const { pool, log } = things({
      max: 1,
      isUsable: () => {
        pool.stop();
        return log.length > 5;
      },
    });
    (await pool.acquire()).release();
    expect(await rejection(pool.acquire())).toBeInstanceOf(ClosedError);
    await pool.drain(never);
    expect(log).toEqual(['make 1', 'close 1']);
  });

  it('at the deadline waits for what it closes under its holders', async () => {
    const closing = deaf();
    const { pool } = things({ close: () => closing.run() });
    await pool.acquire();
    let isOver = false;
    const over = pool.close({ timeout: 0 }).finally(() => {
      isOver = true;
    });
    await turn();
    expect(isOver).toBe(false);
    closing.fulfil();
    expect(await over).toMatchObject({ closed: 1, forced: 1 });
  });

  it('at a deadline given as an AbortSignal does the same', async () => {
    const { pool } = things();
    await pool.acquire();
    expect(await rejection(pool.drain(AbortSignal.abort('late')))).toBe('late');
    expect(pool.report()).toMatchObject({ forced: 1, closed: 1 });
  });

  it('is what drain does with a deadline, as of every Drainable', async () => {
    const { pool } = things({ name: 'db' });
    const part: Drainable = pool;
    const lease = await pool.acquire();
    expect([part.name, part.inFlight]).toEqual(['db', 1]);
    const deadline = new CancellationToken();
    const over = rejection(part.drain(deadline));
    expect(pool.isClosed).toBe(true);
    deadline.cancel('late');
    expect(await over).toBe('late');
    expect([part.inFlight, pool.report().forced]).toEqual([0, 1]);
    lease.release();
  });
});

describe('what is refused', () => {
  it.each([
    [{ max: 0 }, 'max must be an integer from 1'],
    [{ create: 5 as never }, 'create: expected a function'],
    [{ close: 5 as never }, 'close: expected a function'],
    [{ isUsable: 5 as never }, 'isUsable: expected a function'],
    [{ closeTimeout: -1 }, 'closeTimeout must be milliseconds'],
  ])('%o', (options, text) => {
    expect(() => things(options)).toThrow(text);
  });

  it('a bad time, and nothing has happened then', async () => {
    const { pool } = things();
    expect(await rejection(pool.acquire({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.close({ timeout: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.use(5 as never))).toBeInstanceOf(TypeError);
    expect(pool.isClosed).toBe(false);
  });
});
