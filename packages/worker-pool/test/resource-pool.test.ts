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
import { macrotask, rejection, uncancellable, uncaught } from './vocabulary.ts';

const never = CancellationToken.never;

interface Thing {
  readonly id: number;
}

/** Makes a pool of numbered resources, and records what happens to them. */
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

describe('acquire', () => {
  it('makes resources on demand up to `max`, and lends them again', async () => {
    const { pool, log } = things();
    const first = await pool.acquire();
    const second = await pool.acquire();
    expect([ids(first, second), pool.inFlightCount, pool.idleCount]).toEqual([[1, 2], 2, 0]);
    second.release();
    first.release();
    first.release();
    expect([pool.inFlightCount, pool.idleCount]).toEqual([0, 2]);
    expect(ids(await pool.acquire())).toEqual([1]);
    expect(log).toEqual(['make 1', 'make 2']);
  });

  it('makes a resource for each acquire when `max` is Infinity', async () => {
    const { pool } = things({ max: Number.POSITIVE_INFINITY });
    expect(ids(...(await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])))).toEqual([1, 2, 3]);
  });

  it('queues when all resources are leased', async () => {
    const { pool } = things({ max: 1 });
    const first = await pool.acquire();
    const order: string[] = [];
    const waiting = ['a', 'b'].map(async (name) => {
      using lease = await pool.acquire();
      order.push(`${name}${lease.resource.id}`);
    });
    await macrotask();
    expect(order).toEqual([]);
    first.release();
    await Promise.all(waiting);
    expect(order).toEqual(['a1', 'b1']);
  });

  it('takes nothing when a signal or a time limit gives it up', async () => {
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
    expect(clock.pendingCount).toBe(0);
  });

  it('leaves its resource to the next acquire when it is given up while the resource is made', async () => {
    const making = uncancellable<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    const signal = new CancellationToken();
    const left = rejection(pool.acquire({ signal }));
    await macrotask();
    signal.cancel('left');
    expect(await left).toBe('left');
    const next = pool.acquire();
    making.fulfil({ id: 7 });
    expect(ids(await next)).toEqual([7]);
  });

  it('cancels the token of `create` when no acquire needs the resource any more', async () => {
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
    await macrotask();
    other.cancel(reason);
    expect(await left).toBe(reason);
    await macrotask();
    expect(errors).toEqual([]);
  });

  it('rejects with the error of `create`, and frees the permit', async () => {
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

  it('keeps the error of a `create` whose acquire was given up for the report, and does not end the process', async () => {
    const errors = uncaught();
    let making = uncancellable<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    for (const text of ['connection refused', 'connection reset']) {
      making = uncancellable();
      const signal = new CancellationToken();
      const left = rejection(pool.acquire({ signal }));
      await macrotask();
      signal.cancel('left');
      expect(await left).toBe('left');
      making.fail(new Error(text));
      await macrotask();
    }
    expect(pool.report()).toMatchObject({ createFailedCount: 2, lastCreateError: new Error('connection reset') });
    expect(errors).toEqual([]);
  });

  it('rejects with the reason when it is given up in the step in which its `create` fails', async () => {
    const errors = uncaught();
    const making = uncancellable<Thing>();
    const { pool } = things({ max: 1, create: async () => await making.run() });
    const signal = new CancellationToken();
    const left = rejection(pool.acquire({ signal }));
    await macrotask();
    making.fail(new Error('connection refused'));
    signal.cancel('left');
    expect(await left).toBe('left');
    await macrotask();
    expect(errors).toEqual([]);
    expect(pool.report()).toMatchObject({ createFailedCount: 1, lastCreateError: new Error('connection refused') });
  });

  it('skips idle resources that are no longer usable, and closes them', async () => {
    const broken = new Set<number>([2]);
    const { pool, log } = things({ isUsable: ({ id }) => !broken.has(id) });
    const leases = [await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    expect(ids(await pool.acquire(), await pool.acquire())).toEqual([1, 3]);
    expect(log).toEqual(['make 1', 'make 2', 'close 2', 'make 3']);
  });

  it('treats an `isUsable` that throws as false, reports the error, and frees the permit', async () => {
    const errors = uncaught();
    const error = new Error('isUsable failed');
    const { pool } = things({
      max: 1,
      isUsable: () => {
        throw error;
      },
    });
    (await pool.acquire()).release();
    expect(ids(await pool.acquire())).toEqual([2]);
    await macrotask();
    expect(errors).toMatchObject([{ message: 'pool "resources": isUsable has failed', cause: error }]);
  });
});

describe('acquire as a branch of select', () => {
  it('takes a lease when it wins', async () => {
    const { pool } = things();
    const outcome = await select({ lease: pool.acquire(), never });
    expect([outcome.branch, pool.inFlightCount]).toEqual(['lease', 1]);
    if (outcome.branch === 'lease') expect(ids(outcome.value)).toEqual([1]);
  });

  it('takes nothing when it loses, in every state', async () => {
    for (const state of ['waiting', 'making', 'granted', 'ready']) {
      const { pool, log } = things({ max: 1 });
      const stop = new CancellationToken();
      if (state === 'ready') (await pool.acquire()).release();
      const held = state === 'waiting' || state === 'granted' ? await pool.acquire() : undefined;
      if (state === 'ready') stop.cancel('stop');
      const lost = select.biased({ stop, lease: pool.acquire() });
      if (state !== 'making') await macrotask();
      stop.cancel('stop');
      if (state === 'granted') held?.release();
      expect(await lost).toEqual({ branch: 'stop', value: 'stop' });
      await macrotask();
      held?.release();
      expect(pool.inFlightCount).toBe(0);
      expect(ids(await pool.acquire())).toEqual([1]);
      expect(log).toEqual(['make 1']);
    }
  });

  it('passes the lease to the next acquire when it loses in the step in which the lease arrives', async () => {
    const making = uncancellable<Thing>();
    const { pool } = things({ max: 1, create: () => making.run() });
    const stop = new CancellationToken();
    const lost = select.biased({ stop, lease: pool.acquire() });
    await macrotask();
    const next = pool.acquire();
    making.fulfil({ id: 7 });
    stop.cancel('stop');
    expect((await lost).branch).toBe('stop');
    expect(ids(await next)).toEqual([7]);
  });

  it('cancels the token of its `create` when it loses, and does not end the process when `create` fails', async () => {
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
    await macrotask();
    stop.cancel();
    await lost;
    await macrotask();
    expect([reasons, errors, pool.report().createFailedCount]).toEqual([[expect.any(CancelledError)], [], 1]);
  });

  it('makes the select reject with the error of acquire', async () => {
    const { pool } = things();
    expect(await rejection(select({ lease: pool.acquire({ timeout: -1 }), never }))).toBeInstanceOf(RangeError);
    pool.stop();
    expect(await rejection(select({ lease: pool.acquire(), never }))).toBeInstanceOf(ClosedError);
  });

  it('can be awaited after it has lost, and gives every awaiter the same lease', async () => {
    const { pool } = things({ max: 1 });
    const held = await pool.acquire();
    const acquiring = pool.acquire();
    const stop = CancellationToken.alreadyCancelled();
    expect((await select.biased({ stop, acquiring })).branch).toBe('stop');
    const both = Promise.all([acquiring, acquiring]);
    held.release();
    const [one, two] = await both;
    expect([one === two, pool.inFlightCount]).toEqual([true, 1]);
  });
});

describe('a lease', () => {
  it('has its resource closed and replaced when it is destroyed', async () => {
    const { pool, log } = things({ max: 1 });
    const lease = await pool.acquire();
    lease.destroy();
    lease.release();
    expect(ids(await pool.acquire())).toEqual([2]);
    expect(log).toEqual(['make 1', 'close 1', 'make 2']);
  });

  it('throws when its resource is read after the lease is over', async () => {
    const { pool } = things({ name: 'db' });
    const lease = await pool.acquire();
    lease.release();
    expect(() => lease.resource).toThrow(ClosedError);
    expect(() => lease.resource).toThrow('this lease of pool "db" is over');
  });

  it('is released by `use`, also when the work fails', async () => {
    const { pool } = things({ max: 1 });
    const error = new Error('query');
    expect(await rejection(pool.use(() => Promise.reject(error)))).toBe(error);
    expect(await pool.use(async ({ id }) => id)).toBe(1);
    expect(pool.inFlightCount).toBe(0);
  });
});

describe('closing a pool', () => {
  it('rejects new calls, closes idle resources, and closes each leased one when it is released', async () => {
    const { pool, log } = things({ name: 'db' });
    const [idle, lease] = [await pool.acquire(), await pool.acquire()];
    idle.release();
    const closing = pool.shutdown({ timeout: 1_000 });
    expect(log).toContain('close 1');
    expect(String(await rejection(pool.acquire()))).toContain('pool "db" is closed');
    expect(log).not.toContain('close 2');
    lease.release();
    expect(await closing).toEqual({
      closedCount: 2,
      failed: [],
      timedOutCount: 0,
      cutOffCount: 0,
      createFailedCount: 0,
      creatingCount: 0,
    });
  });

  it('rejects waiting calls with an error that names the pool', async () => {
    const { pool } = things({ max: 1, name: 'db' });
    const lease = await pool.acquire();
    const waiting = rejection(pool.acquire());
    await macrotask();
    pool.stop();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(String(await waiting)).toContain('pool "db" is closed');
    lease.release();
    await pool.drain(never);
  });

  it('gives each resource its own time limit, and reports the failures', async () => {
    const error = new Error('socket hang up');
    const slow = uncancellable();
    const { pool, clock } = things({
      max: 3,
      closeTimeout: 100,
      close: ({ id }) => (id === 1 ? slow.run() : id === 2 ? Promise.reject(error) : undefined),
    });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    const closing = pool.shutdown({ timeout: 10_000 });
    await clock.advance(100);
    expect(await closing).toMatchObject({
      closedCount: 1,
      timedOutCount: 1,
      cutOffCount: 0,
      failed: [error, { name: 'TimeoutError' }],
    });
    expect(clock.pendingCount).toBe(0);
  });

  it('reports a failing closer while the pool lends or drains without a report, and keeps the last 100 errors', async () => {
    const errors = uncaught();
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { pool } = things({ max: 1, close: ({ id }) => Promise.reject(new Error(`closer ${id}`)) });
    for (let i = 1; i <= 150; i++) (await pool.acquire()).destroy();
    // A loop that runs for 10 ms lets the event loop run first.
    while (errors.length < 150) await macrotask();
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
    await macrotask();
    expect(print.mock.calls).toMatchObject([[{ cause: new Error('closer 151') }]]);
    print.mockRestore();
    expect(pool.report().failed).toHaveLength(101);
  });

  it('reports an error after the time limit as the cause of its TimeoutError', async () => {
    const errors = uncaught();
    const slow = uncancellable();
    const { pool, clock } = things({ closeTimeout: 100, close: () => slow.run() });
    (await pool.acquire()).release();
    const closing = pool.shutdown({ timeout: 10_000 });
    await clock.advance(100);
    const report = await closing;
    slow.fail('at last');
    await macrotask();
    expect([errors, report.failed]).toMatchObject([[], [{ name: 'TimeoutError', cause: 'at last' }]]);
  });

  it('closes leased resources at the deadline, and counts them', async () => {
    const { pool, log, clock } = things();
    const lease = await pool.acquire();
    const closing = pool.shutdown({ timeout: 500 });
    await clock.advance(499);
    expect(log).toEqual(['make 1']);
    await clock.advance(1);
    expect(await closing).toEqual({
      closedCount: 1,
      failed: [],
      timedOutCount: 0,
      cutOffCount: 1,
      createFailedCount: 0,
      creatingCount: 0,
    });
    expect(() => lease.resource).toThrow(ClosedError);
    lease.release();
    expect(log).toEqual(['make 1', 'close 1']);
  });

  it('waits for a resource that is being made, lends it to its accepted acquire, and closes it afterwards', async () => {
    const making = uncancellable<Thing>();
    const { pool, log } = things({ create: () => making.run() });
    const accepted = pool.acquire();
    await macrotask();
    const closing = pool.shutdown({ timeout: 1_000 });
    making.fulfil({ id: 9 });
    const lease = await accepted;
    expect(lease.resource.id).toBe(9);
    lease.release();
    expect(await closing).toMatchObject({ closedCount: 1 });
    expect(log).toEqual(['close 9']);
  });

  it('counts a resource whose `create` ignores its token, closes it on arrival, and does not lend it', async () => {
    const making = uncancellable<Thing>();
    const { pool, log, clock } = things({ closeTimeout: 50, create: () => making.run() });
    const accepted = rejection(pool.acquire());
    await macrotask();
    const closing = pool.shutdown({ timeout: 0 });
    await clock.advance(49);
    expect(await accepted).toBeInstanceOf(ClosedError);
    await clock.advance(1);
    expect(await closing).toMatchObject({ closedCount: 0, creatingCount: 1 });
    making.fulfil({ id: 9 });
    await macrotask();
    expect(log).toEqual(['close 9']);
    expect(pool.report()).toMatchObject({ closedCount: 1, creatingCount: 0 });
    expect(clock.pendingCount).toBe(0);
  });

  it('cancels each `create` at the deadline, waits for it, and closes a resource that it still makes', async () => {
    const errors = uncaught();
    const { pool, log, clock } = things({
      create: async (token) => {
        await token.cancelled();
        if (pool.inFlightCount === 0 && log.push('cancelled') === 1) throw token.reason;
        return { id: 2 };
      },
    });
    const accepted = [rejection(pool.acquire()), rejection(pool.acquire())];
    await macrotask();
    expect(await pool.shutdown({ timeout: 0 })).toEqual({
      closedCount: 1,
      failed: [],
      timedOutCount: 0,
      cutOffCount: 0,
      createFailedCount: 0,
      creatingCount: 0,
    });
    for (const error of await Promise.all(accepted)) expect(error).toBeInstanceOf(ClosedError);
    expect(log).toEqual(['cancelled', 'cancelled', 'close 2']);
    await macrotask();
    expect(errors).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it('makes no resource for an acquire that was granted a permit in the same step', async () => {
    const { pool, log } = things({ max: 1 });
    const first = await pool.acquire();
    const next = rejection(pool.acquire());
    await macrotask();
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

  it('makes and lends nothing after `stop`, wherever it comes between the grant and the lease', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { pool, log } = things({ max: 1, isUsable: () => true });
      const lease = await pool.acquire();
      const waiting = pool.acquire().then(
        (next) => next,
        (error: unknown) => error,
      );
      await macrotask();
      lease.release();
      for (let i = 0; i < microtasks; i++) await undefined;
      pool.stop();
      const { inFlightCount } = pool;
      const next = await waiting;
      // An earlier lease is counted, and has to be released.
      if (inFlightCount === 0) expect(next).toBeInstanceOf(ClosedError);
      else (next as Lease<Thing>).release();
      await pool.drain(never);
      expect(log).toEqual(['make 1', 'close 1']);
    }
  });

  it('makes no resource for an acquire whose signal is cancelled between the grant and the lease', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { pool, log } = things({ max: 1 });
      const lease = await pool.acquire();
      const signal = new CancellationToken();
      const waiting = pool.acquire({ signal }).then(
        (next) => next,
        (error: unknown) => error,
      );
      await macrotask();
      lease.destroy();
      for (let i = 0; i < microtasks; i++) await undefined;
      const before = log.length;
      signal.cancel('left');
      const next = await waiting;
      if (before === 2) expect([next, log]).toEqual(['left', ['make 1', 'close 1']]);
      else if (next !== 'left') (next as Lease<Thing>).release();
      expect(pool.inFlightCount).toBe(0);
    }
  });

  it('makes no resource when `isUsable` stops the pool', async () => {
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

  it('waits at the deadline for the leased resources that it closes', async () => {
    const closing = uncancellable();
    const { pool } = things({ close: () => closing.run() });
    await pool.acquire();
    let isOver = false;
    const over = pool.shutdown({ timeout: 0 }).finally(() => {
      isOver = true;
    });
    await macrotask();
    expect(isOver).toBe(false);
    closing.fulfil();
    expect(await over).toMatchObject({ closedCount: 1, cutOffCount: 1 });
  });

  it('accepts an AbortSignal as the deadline', async () => {
    const { pool } = things();
    await pool.acquire();
    expect(await rejection(pool.drain(AbortSignal.abort('late')))).toBe('late');
    expect(pool.report()).toMatchObject({ cutOffCount: 1, closedCount: 1 });
  });

  it('drains with a deadline, as every Drainable', async () => {
    const { pool } = things({ name: 'db' });
    const part: Drainable = pool;
    const lease = await pool.acquire();
    expect([part.name, part.inFlightCount]).toEqual(['db', 1]);
    const deadline = new CancellationToken();
    const over = rejection(part.drain(deadline));
    expect(pool.isClosed).toBe(true);
    deadline.cancel('late');
    expect(await over).toBe('late');
    expect([part.inFlightCount, pool.report().cutOffCount]).toEqual([0, 1]);
    lease.release();
  });

  it('closes leased resources by `abort`, and `drain` fulfils when they are closed', async () => {
    const closing = uncancellable();
    const { pool } = things({ close: closing.run });
    const part: Drainable = pool;
    const lease = await pool.acquire();
    let isOver = false;
    const drained = part.drain(CancellationToken.never).then(() => {
      isOver = true;
    });
    part.abort?.('late');
    part.abort?.('later');
    expect(pool.inFlightCount).toBe(0);
    expect(() => lease.resource).toThrow();
    await macrotask();
    expect(isOver).toBe(false);
    closing.fulfil();
    await drained;
    expect(pool.report()).toMatchObject({ cutOffCount: 1, closedCount: 1 });
  });

  it('is closed by `abort`, which cancels resources that are being made', async () => {
    const { pool } = things({ create: (token) => token.cancelled().then(() => token.throwIfCancelled()) as never });
    const waiting = rejection(pool.acquire());
    await macrotask();
    pool.abort();
    expect(await waiting).toBeInstanceOf(ClosedError);
    await pool.drain(CancellationToken.never);
    expect(pool.report()).toMatchObject({ closedCount: 0, creatingCount: 0 });
  });
});

describe('validation', () => {
  it.each([
    [{ max: 0 }, 'max must be an integer from 1'],
    [{ create: 5 as never }, 'create: expected a function'],
    [{ close: 5 as never }, 'close: expected a function'],
    [{ isUsable: 5 as never }, 'isUsable: expected a function'],
    [{ closeTimeout: -1 }, 'closeTimeout must be milliseconds'],
  ])('the constructor rejects %o', (options, text) => {
    expect(() => things(options)).toThrow(text);
  });

  it('rejects a bad time and leaves the pool unchanged', async () => {
    const { pool } = things();
    expect(await rejection(pool.acquire({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.shutdown({ timeout: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.use(5 as never))).toBeInstanceOf(TypeError);
    expect(pool.isClosed).toBe(false);
  });
});

it('counts no resource twice when `close` aborts the pool again, and none that it releases', async () => {
  const leases: { release(): void }[] = [];
  let calls = 0;
  const pool = new ResourcePool({
    create: () => 1,
    close: () => {
      if (++calls === 1) pool.abort();
      else leases[2]?.release();
    },
    max: 3,
  });
  for (let n = 0; n < 3; n++) leases.push(await pool.acquire());
  const { cutOffCount, closedCount } = await pool.shutdown({ timeout: 0 });
  expect([cutOffCount, closedCount]).toEqual([2, 3]);
});
