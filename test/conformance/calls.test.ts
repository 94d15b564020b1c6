// Calls that wait can be awaited, or used as a branch of `select`. As a branch they take nothing until they win.
import { broadcast, LaggedError } from '@quiesce/broadcast-channel';
import { CancellationToken, isClosedError, isSource, type Source, wait } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel, Mutex, Semaphore, unboundedChannel, watch } from '@quiesce/channel';
import { JoinSet } from '@quiesce/scope';
import { interval, match, moveOnAfter, select, selectEach, settle, sleep, trySelect } from '@quiesce/select';
import { ResourcePool } from '@quiesce/worker-pool';
import { describe, expect, it, vi } from 'vitest';

/** A call, and the source from which it takes. */
interface Subject {
  call(): PromiseLike<unknown> & Source<unknown>;
  /** Makes the next value, or the only one. */
  give(): void;
  /** Returns how many values can be taken. */
  left(): number;
  /** The result of the call for the first value. */
  readonly first: unknown;
}

const never = new CancellationToken();

function mpsc(call: (rx: ReturnType<typeof channel<string>>[1]) => Subject['call'], first: unknown = 'value 1') {
  return (): Subject => {
    const [tx, rx] = channel<string>(4);
    let count = 0;
    return { call: call(rx), give: () => void tx.trySend(`value ${++count}`), left: () => rx.length, first };
  };
}

function broadcasting(
  call: (rx: ReturnType<typeof broadcast<string>>[1]) => Subject['call'],
  first: unknown = 'value 1',
) {
  return (): Subject => {
    const [tx, rx] = broadcast<string>(4);
    let count = 0;
    return { call: call(rx), give: () => void tx.send(`value ${++count}`), left: () => rx.length, first };
  };
}

const watching = (call: (rx: ReturnType<typeof watch<string>>[1]) => Subject['call']) => (): Subject => {
  const [tx, rx] = watch('value 0');
  let count = 0;
  return {
    call: call(rx),
    give: () => void tx.send(`value ${++count}`),
    left: () => Number(rx.hasChanged()),
    first: 'value 1',
  };
};

const subjects: Readonly<Record<string, () => Subject>> = {
  'mpsc recv()': mpsc((rx) => () => rx.recv()),
  'mpsc recv({ signal })': mpsc((rx) => () => rx.recv({ signal: never })),
  'mpsc recv({ timeout })': mpsc((rx) => () => rx.recv({ timeout: 60_000 })),
  'mpsc recvMany()': mpsc((rx) => () => rx.recvMany(3), ['value 1']),
  'broadcast recv()': broadcasting((rx) => () => rx.recv()),
  'broadcast recv({ signal })': broadcasting((rx) => () => rx.recv({ signal: never })),
  'broadcast recvMany()': broadcasting((rx) => () => rx.recvMany(3), ['value 1']),
  'changed()': watching((rx) => () => rx.changed()),
  'changed({ signal })': watching((rx) => () => rx.changed({ signal: never })),
  'waitFor()': watching((rx) => () => rx.waitFor((value) => value !== 'value 0')),
  'semaphore acquire()': () => {
    const semaphore = new Semaphore(0);
    return {
      call: () => semaphore.acquire(),
      give: () => semaphore.addPermits(1),
      left: () => semaphore.availablePermits,
      first: expect.anything(),
    };
  },
  'mutex acquire()': () => {
    const mutex = new Mutex();
    const held = mutex.tryAcquire();
    return {
      call: () => mutex.acquire(),
      give: () => void (held.ok && held.value.release()),
      left: () => Number(!mutex.isLocked),
      first: expect.anything(),
    };
  },
  'reserve()': () => {
    const [tx, rx] = channel<number>(1);
    tx.trySend(0);
    return {
      call: () => tx.reserve(),
      give: () => void rx.tryRecv(),
      left: () => tx.capacity,
      first: expect.anything(),
    };
  },
};

describe.each(Object.entries(subjects))('%s', (_, make) => {
  it('takes nothing in a select that it loses while it waits', async () => {
    const { call, give, left, first } = make();
    const stop = new CancellationToken();
    const racing = select({ job: call(), stop });
    stop.cancel();
    expect((await racing).branch).toBe('stop');
    const until = new CancellationToken();
    const running = until.runUntilCancelled(call());
    until.cancel();
    expect(await running).toMatchObject({ status: 'cancelled' });
    give();
    expect(left()).toBe(1);
    expect(await call()).toEqual(first);
  });

  it('takes nothing in a select that it loses although it was ready at the call', async () => {
    const { call, give, left, first } = make();
    give();
    const ready = CancellationToken.alreadyCancelled();
    expect((await select.biased({ ready, job: call() })).branch).toBe('ready');
    expect(left()).toBe(1);
    expect(trySelect.biased({ ready, job: call() })).toMatchObject({ ok: true, branch: 'ready' });
    expect(left()).toBe(1);
    expect((await select.biased({ ready, job: settle(call()) })).branch).toBe('ready');
    expect((await select.biased({ ready, job: match(call()) })).branch).toBe('ready');
    expect(await wait(untilCancelled(ready, call()))).toMatchObject({ status: 'cancelled' });
    expect(await ready.runUntilCancelled(call())).toMatchObject({ status: 'cancelled' });
    await expect(select({ job: call() }, { signal: ready })).rejects.toBe(ready.reason);
    expect(() => trySelect({ job: call(), wrong: 1 as never })).toThrow(TypeError);
    expect(left()).toBe(1);
    expect(await call()).toEqual(first);
  });

  it('wins with a ready value, and with a later one', async () => {
    const { call, give, left, first } = make();
    give();
    expect(await select({ job: call(), never })).toEqual({ branch: 'job', value: first });
    expect(left()).toBe(0);
    const other = make();
    const racing = select({ job: other.call(), never });
    other.give();
    expect(await racing).toEqual({ branch: 'job', value: other.first });
    expect(other.left()).toBe(0);
  });

  it('can be passed from select to select, and awaited after it has lost', async () => {
    const { call, give, left, first } = make();
    const next = call();
    for (let i = 0; i < 3; i++) expect((await select({ next, tick: sleep(0) })).branch).toBe('tick');
    give();
    expect(left()).toBe(1);
    expect([await next, await next]).toEqual([first, first]);
    expect(left()).toBe(0);
    const other = make();
    const won = other.call();
    other.give();
    expect(await select({ won, never })).toEqual({ branch: 'won', value: other.first });
    expect(await won).toEqual(other.first);
    expect(other.left()).toBe(0);
  });

  it.each([
    ['at once', async () => {}],
    ['one iteration of the event loop later', () => new Promise<void>((resolve) => setImmediate(resolve))],
  ])('gives back a value that came between the call and a select that it loses %s', async (__, pass) => {
    const ready = CancellationToken.alreadyCancelled();
    const { call, give, left, first } = make();
    const next = call();
    give();
    await pass();
    expect((await select.biased({ ready, next })).branch).toBe('ready');
    await pass();
    expect(left()).toBe(1);
    expect(await call()).toEqual(first);
    expect(left()).toBe(0);

    const other = make();
    const kept = other.call();
    other.give();
    await pass();
    expect((await select.biased({ ready, kept })).branch).toBe('ready');
    expect((await select.biased({ ready, kept: settle(kept) })).branch).toBe('ready');
    expect([await kept, await kept]).toEqual([other.first, other.first]);
    expect(other.left()).toBe(0);

    const third = make();
    const winner = third.call();
    third.give();
    await pass();
    expect(await select({ winner, never })).toEqual({ branch: 'winner', value: third.first });
    expect([await winner, third.left()]).toEqual([third.first, 0]);
  });

  it('can be awaited by several callers, some of them in a select', async () => {
    const { call, give, first } = make();
    const next = call();
    const racing = [select({ next, never }), select({ never, next })];
    const awaiting = next.then((value) => value);
    give();
    const [one, two] = await Promise.all(racing);
    expect([one?.value, two?.value, await awaiting]).toEqual([first, first, first]);
  });

  it('is a source, and has the methods of a promise where it is one', async () => {
    const { call, give, first } = make();
    const next = call();
    expect(isSource(next)).toBe(true);
    give();
    expect(await Promise.all([next])).toEqual([first]);
  });
});

describe('a failed call', () => {
  const unhandled = vi.fn();

  it('fails its branch, and is never "unhandled" after it was a branch', async () => {
    process.on('unhandledRejection', unhandled);
    const ready = CancellationToken.alreadyCancelled();
    const channels = [channel<string>(1), broadcast<string>(1), watch('value')] as const;
    for (const [tx] of channels) tx.close();
    const [[, rx], [, heard], [, seen]] = channels;
    for (const call of [
      () => rx.recv(),
      () => rx.recvMany(2),
      () => heard.recv(),
      () => heard.recvMany(2),
      () => seen.changed(),
    ]) {
      expect((await select.biased({ ready, job: call() })).branch).toBe('ready');
      await expect(select({ job: call() })).rejects.toSatisfy(isClosedError);
      await expect(call()).rejects.toSatisfy(isClosedError);
      const kept = call();
      expect((await select.biased({ ready, kept })).branch).toBe('ready');
      await expect(kept).rejects.toSatisfy(isClosedError);
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('of a broadcast reports its lag to the next receive when its branch loses', async () => {
    const [tx, rx] = broadcast<number>(1);
    for (const n of [1, 2, 3]) tx.send(n);
    const ready = CancellationToken.alreadyCancelled();
    await select.biased({ ready, job: rx.recv() });
    await select.biased({ ready, job: rx.recvMany(2) });
    await expect(rx.recv()).rejects.toThrow(LaggedError);
    expect(await rx.recv()).toBe(3);
  });
});

describe('a value that was put back', () => {
  it('comes first, and in order', async () => {
    const ready = CancellationToken.alreadyCancelled();
    for (const [tx, rx] of [unboundedChannel<number>(), broadcast<number>(8)] as const) {
      for (const n of [1, 2, 3]) tx.send(n);
      await select.biased({ ready, job: rx.recvMany(2) });
      await select.biased({ ready, job: rx.recv() });
      expect([await rx.recv(), await rx.recvMany(5)]).toEqual([1, [2, 3]]);
    }
  });

  it('is seen once by every other receiver of a broadcast, and released after the last', async () => {
    const [tx, rx] = broadcast<string>(2);
    const other = tx.subscribe();
    tx.send('a');
    await select.biased({ ready: CancellationToken.alreadyCancelled(), job: rx.recv() });
    expect([await other.recv(), await rx.recv(), tx.length]).toEqual(['a', 'a', 0]);
    tx.send('b');
    tx.send('c');
    expect([await rx.recvMany(3), await other.recvMany(3)]).toEqual([
      ['b', 'c'],
      ['b', 'c'],
    ]);
  });

  it('goes to a waiter', async () => {
    for (const [tx, rx] of [unboundedChannel<number>(), broadcast<number>(8)] as const) {
      tx.send(1);
      const taken = rx.recv();
      const waiting = rx.recv();
      await select.biased({ ready: CancellationToken.alreadyCancelled(), taken });
      expect(await waiting).toBe(1);
    }
  });

  it('admits no more senders than there is room for', async () => {
    const [tx, rx] = channel<number>(1);
    const sends = [1, 2, 3].map((n) => tx.send(n));
    for (let i = 0; i < 5; i++) await select.biased({ ready: CancellationToken.alreadyCancelled(), job: rx.recv() });
    expect(rx.length).toBe(2);
    expect(tx.capacity).toBe(0);
    expect([await rx.recv(), await rx.recv(), await rx.recv()]).toEqual([1, 2, 3]);
    await Promise.all(sends);
    expect(tx.capacity).toBe(1);
  });
});

describe('a value that came between the call and the select', () => {
  const ready = CancellationToken.alreadyCancelled();

  it('is kept by its promise when a later value was received in between, because the order cannot be restored', async () => {
    const [tx, rx] = broadcast<number>(8);
    const next = rx.recv();
    tx.send(1);
    tx.send(2);
    expect(await rx.recv()).toBe(2);
    expect((await select.biased({ ready, next })).branch).toBe('ready');
    expect(await next).toBe(1);
  });

  it('goes back ahead of later values', async () => {
    for (const [tx, rx] of [unboundedChannel<number>(), broadcast<number>(8)] as const) {
      const next = rx.recv();
      tx.send(1);
      tx.send(2);
      expect((await select.biased({ ready, next })).branch).toBe('ready');
      await Promise.resolve();
      expect(await rx.recvMany(3)).toEqual([1, 2]);
    }
  });

  it('goes back to its pool when it is a lease', async () => {
    const pool = new ResourcePool({ create: () => 'resource', max: 1 });
    const next = pool.acquire();
    while (pool.inFlightCount === 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await select.biased({ ready, next })).branch).toBe('ready');
    expect(pool.inFlightCount).toBe(0);
    (await next).release();
    expect(pool.inFlightCount).toBe(0);
  });

  it('stays seen in a watch when another read has seen it in between', async () => {
    const looks: readonly ((rx: ReturnType<typeof watch<number>>[1]) => unknown)[] = [
      (rx) => rx.borrowAndUpdate(),
      (rx) => rx.markUnchanged(),
      (rx) => rx.changed({ timeout: 0 }).catch(() => {}),
    ];
    for (const [index, look] of looks.entries()) {
      for (const make of [
        (rx: ReturnType<typeof watch<number>>[1]) => rx.changed(),
        (rx: ReturnType<typeof watch<number>>[1]) => rx.waitFor((n) => n === 1),
      ]) {
        const [tx, rx] = watch(0);
        tx.send(1);
        const next = make(rx);
        if (index === 2) tx.send(2);
        await look(rx);
        expect((await select.biased({ ready, next })).branch).toBe('ready');
        expect(rx.hasChanged(), String(look)).toBe(false);
      }
    }
  });

  it('is dropped for an interval that was reset in between, like every tick', async () => {
    const clock = new VirtualClock();
    const ticks = interval(1_000, { clock });
    const tick = ticks.tick();
    await clock.advance(500);
    ticks.reset();
    expect((await select.biased({ ready, tick })).branch).toBe('ready');
    expect(await clock.run(() => ticks.tick())).toBe(1_500);
  });

  it('is no duplicate tick of an interval when the next one was taken in between', async () => {
    const clock = new VirtualClock();
    const ticks = interval(1_000, { clock });
    const tick = ticks.tick();
    expect(await clock.run(() => ticks.tick())).toBe(1_000);
    expect((await select.biased({ ready, tick })).branch).toBe('ready');
    expect(await clock.run(() => ticks.tick())).toBe(2_000);
    expect(await tick).toBe(0);
  });
});

describe('a call', () => {
  it('takes its value at the call without await, in order of the calls', async () => {
    for (const [tx, rx] of [unboundedChannel<number>(), broadcast<number>(8)] as const) {
      const [first, second] = [rx.recv(), rx.recv()];
      tx.send(1);
      tx.send(2);
      expect(rx.length).toBe(0);
      expect([await second, await first]).toEqual([2, 1]);
    }
  });

  it('returns its value when it was stored and got its value, also as a branch', async () => {
    const [tx, rx] = unboundedChannel<number>();
    const next = rx.recv();
    tx.send(1);
    expect(await select({ next, never })).toEqual({ branch: 'next', value: 1 });
    expect([await next, rx.length]).toEqual([1, 0]);
  });

  it('settles reactions that were attached before when its branch wins', async () => {
    const [tx, rx] = unboundedChannel<number>();
    const next = rx.recv();
    const seen = next.then((value) => `seen ${value}`);
    const racing = select({ next, never });
    tx.send(1);
    expect([(await racing).value, await seen]).toEqual([1, 'seen 1']);
  });

  it('is off in a loop after it has won', async () => {
    const [tx, rx] = unboundedChannel<number>();
    tx.send(1);
    tx.send(2);
    const values: unknown[] = [];
    for await (const { value } of selectEach({ job: rx.recv() })) values.push(value);
    expect([values, rx.length]).toEqual([[1], 1]);
  });

  it('can have a time limit, and has taken nothing when that ends it', async () => {
    const [tx, rx] = unboundedChannel<number>();
    expect((await moveOnAfter(0, rx.recv())).status).toBe('cancelled');
    tx.send(1);
    expect([rx.length, await rx.recv()]).toEqual([1, 1]);
  });

  it('of an interval takes no tick until it wins', async () => {
    const clock = new VirtualClock();
    const ticks = interval(1_000, { clock });
    await select.biased({ ready: CancellationToken.alreadyCancelled(), tick: ticks.tick() });
    const stop = new CancellationToken();
    const racing = select({ stop, tick: ticks.tick() });
    expect((await racing).value).toBe(0);
    const waiting = select({ stop, tick: ticks.tick() });
    stop.cancel();
    await waiting;
    expect([clock.pendingCount, await clock.run(() => ticks.tick())]).toEqual([0, 1_000]);
  });

  it('of a join set takes no task until it wins', async () => {
    const set = new JoinSet<string>();
    set.spawn(async () => 'done');
    await new Promise((resolve) => setImmediate(resolve));
    await select.biased({ ready: CancellationToken.alreadyCancelled(), joined: set.joinNext() });
    expect([set.length, await set.joinNext()]).toMatchObject([1, { value: 'done' }]);
  });
});
