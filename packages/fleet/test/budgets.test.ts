// How many requests each call costs, counted on a virtual clock.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Fleet, type JoinFleetOptions, joinFleet, memoryEngine } from '@quiesce/fleet';
import { faulty } from '@quiesce/fleet/testing';
import { describe, expect, it } from 'vitest';
import { type CountingEngine, type CountingOptions, counting } from './counting.ts';
import { deaf, obedient, rejection } from './vocabulary.ts';

interface Counted {
  readonly fleet: Fleet;
  readonly engine: CountingEngine;
}

/** Several fleets on one engine whose answers take 2 ms, with a counter each. */
function countedWorld() {
  const clock = new VirtualClock();
  const shared = faulty(memoryEngine({ clock }), { clock });
  const join = async (
    node: string,
    { batch, before, ...options }: Partial<JoinFleetOptions> & CountingOptions = {},
  ): Promise<Counted> => {
    const engine = counting(shared, { ...(before && { before }), ...(batch && { batch }) });
    const joined = joinFleet({ engine, clock, node, ...options });
    await clock.advance(100);
    const fleet = await joined;
    engine.reset();
    return { fleet, engine };
  };
  shared.delay(2);
  return { clock, shared, join };
}

/** Waits for a promise while time advances. */
async function within<T>(clock: VirtualClock, ms: number, promise: Promise<T>): Promise<T> {
  await clock.advance(ms);
  return await promise;
}

describe('a fleet asks its engine', () => {
  it('nothing for a run and a token while its knowledge is fresh', async () => {
    const { join } = countedWorld();
    const { fleet, engine } = await join('one');
    for (let n = 0; n < 100; n++) {
      expect(fleet.token(['tokens', n]).isCancelled).toBe(false);
      expect(await fleet.run(['jobs', n], () => n)).toBe(n);
    }
    expect(engine.requestCount).toBe(0);
  });

  it('once for a cancel that is recorded; the subscription then reads it once', async () => {
    const { clock, join } = countedWorld();
    const api = await join('api');
    const worker = await join('worker');
    const caller = await join('caller', { member: false });
    for (const { engine } of [api, worker, caller]) engine.reset();
    expect((await within(clock, 2, api.fleet.cancel('jobs/1'))).state).toBe('recorded');
    expect(api.engine.calls).toMatchObject({ append: 1, meet: 0, readInbox: 0 });
    await clock.advance(100);
    expect([api.engine.requestCount, api.engine.calls.read]).toEqual([2, 1]);
    expect([worker.engine.requestCount, worker.engine.calls.read]).toEqual([1, 1]);
    await within(clock, 100, caller.fleet.cancel('jobs/2'));
    expect([caller.engine.requestCount, caller.engine.calls.append]).toEqual([1, 1]);
  });

  it.each(['at once', 'later'])('6 times at most for a cancel until the work has ended, %s', async (when) => {
    const { clock, join } = countedWorld();
    const api = await join('api');
    const workers = [await join('worker'), await join('worker'), await join('idle')];
    const jobs = workers.slice(0, 2).map(({ fleet }) =>
      fleet.run('jobs/1', async (token) => {
        await token.cancelled();
        if (when === 'later') await new Promise<void>((resolve) => void clock.setTimer(500, resolve));
      }),
    );
    for (const { engine } of [api, ...workers]) engine.reset();
    const receipt = await within(clock, 1_000, api.fleet.cancel('jobs/1', 'stop', { until: 'ended' }));
    await Promise.all(jobs);
    expect(receipt.state).toBe('ended');
    expect(api.engine.requestCount).toBeLessThanOrEqual(6);
    // That it is applied, and that the work has ended.
    expect(workers.map(({ engine }) => engine.calls.append)).toEqual([2, 2, 1]);
    for (const { engine } of workers) {
      expect(engine.calls.read).toBe(1);
      expect(engine.requestCount).toBe(1 + engine.calls.append);
    }
  });

  it('with N members once each for a cancel, and once more each for an answer', async () => {
    const { clock, join } = countedWorld();
    const members: Counted[] = [];
    for (let n = 0; n < 8; n++) members.push(await join(`n${n}`));
    const [api] = members as [Counted];
    const sum = (of: keyof CountingEngine['calls']): number =>
      members.reduce((total, { engine }) => total + engine.calls[of], 0);
    for (const { engine } of members) engine.reset();
    await within(clock, 100, api.fleet.cancel('jobs/1'));
    expect([sum('cancelHints'), sum('read'), sum('append'), sum('inboxHints')]).toEqual([8, 8, 1, 0]);
    for (const { engine } of members) engine.reset();
    const { state } = await within(clock, 100, api.fleet.cancel('jobs/2', 'stop', { until: 'delivered' }));
    expect(state).toBe('nobody');
    expect([sum('cancelHints'), sum('read'), sum('append')]).toEqual([8, 8, 1 + 7]);
    expect(sum('inboxHints')).toBeLessThanOrEqual(7);
  });

  it('40 times at most for 1,500 cancels at once, and a member 25 times', async () => {
    const { clock, join } = countedWorld();
    const api = await join('api');
    const worker = await join('worker');
    const keys = Array.from({ length: 1_500 }, (_, n) => ['jobs', n]);
    const jobs = keys.map((key) => worker.fleet.run(key, obedient).catch((reason) => reason));
    for (const { engine } of [api, worker]) engine.reset();
    const cancels = keys.map((key) => api.fleet.cancel(key, 'stop', { until: 'ended' }));
    const receipts = await within(clock, 1_000, Promise.all(cancels));
    expect(new Set(receipts.map(({ state }) => state))).toEqual(new Set(['ended']));
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['stop']));
    expect(api.engine.requestCount).toBeLessThanOrEqual(40);
    expect(worker.engine.requestCount).toBeLessThanOrEqual(25);
  });

  it('so that many cancels are at least 3 times faster than without batches, on a server of 1 ms a request', async () => {
    const measure = async (batch: number): Promise<number> => {
      const { clock, join, shared } = countedWorld();
      shared.heal();
      // The server handles one request after another.
      let last = Promise.resolve();
      const before = (): Promise<void> => {
        last = last.then(() => new Promise<void>((resolve) => void clock.setTimer(1, resolve)));
        return last;
      };
      const api = await join('api', { before, batch });
      const worker = await join('worker', { before, batch });
      const keys = Array.from({ length: 300 }, (_, n) => ['jobs', n]);
      const jobs = keys.map((key) => worker.fleet.run(key, obedient).catch((reason) => reason));
      const started = clock.now();
      let took = 0;
      const cancels = keys.map((key) => api.fleet.cancel(key, 'stop', { until: 'ended' }));
      void Promise.all(cancels).then(() => {
        took = clock.now() - started;
      });
      await within(clock, 3_000, Promise.all(cancels));
      await Promise.all(jobs);
      return took;
    };
    expect(await measure(1)).toBeGreaterThanOrEqual(3 * (await measure(500)));
  });

  it('3 times at most for each reread of an idle member', async () => {
    const { clock, join } = countedWorld();
    const { engine } = await join('idle');
    await clock.advance(100_000);
    expect(engine.requestCount).toBeLessThanOrEqual(3 * 20);
    expect(engine.calls).toMatchObject({ append: 0, readInbox: 0, listen: 0 });
    expect(engine.calls.read).toBeGreaterThanOrEqual(19);
  });

  it('for a subscription, a heartbeat and a read of what is new after a reconnection', async () => {
    const { clock, join, shared } = countedWorld();
    const worker = await join('worker');
    const api = await join('api');
    const cancelMany = (from: string, count: number): Promise<unknown> =>
      Promise.all(Array.from({ length: count }, (_, n) => api.fleet.cancel([from, n])));
    await within(clock, 100, cancelMany('before', 700));
    const { entryCount: entries, wholeCount: whole } = worker.fleet.inspect().counters;
    shared.cut('worker');
    const recorded = cancelMany('meanwhile', 3);
    await clock.advance(8);
    await recorded;
    worker.engine.reset();
    shared.heal('worker');
    await clock.advance(1_000);
    expect(worker.fleet.state.borrow().link).toBe('up');
    expect(worker.engine.calls).toMatchObject({ listen: 1, meet: 1, read: 1, readInbox: 0, append: 0 });
    expect(worker.engine.requestCount).toBe(3);
    expect(worker.fleet.inspect().counters).toMatchObject({ entryCount: entries + 3, wholeCount: whole });
    expect(worker.fleet.token('meanwhile/2').isCancelled).toBe(true);
  });

  it('once to acquire, to renew and to release a lease, and hands it on within a quarter of its ttl', async () => {
    const { clock, join } = countedWorld();
    const a = await join('a');
    const b = await join('b');
    const [first, second] = [deaf(), deaf()];
    for (const { engine } of [a, b]) engine.reset();
    const held = a.fleet.lease('billing', first.work, { ttl: 3_000 });
    await clock.advance(999);
    expect([a.engine.requestCount, a.engine.calls.hold]).toEqual([1, 1]);
    await clock.advance(3_000);
    expect([a.engine.requestCount, a.engine.calls.hold]).toEqual([4, 4]);
    let grantedAt = 0;
    const next = b.fleet.lease(
      'billing',
      () => {
        grantedAt = clock.now();
        return second.work();
      },
      { ttl: 3_000 },
    );
    await clock.advance(10);
    const releasedAt = clock.now();
    a.engine.reset();
    b.engine.reset();
    first.finish();
    await within(clock, 100, held);
    expect([a.engine.requestCount, a.engine.calls.release]).toEqual([1, 1]);
    expect([b.engine.requestCount, b.engine.calls.hold]).toEqual([1, 1]);
    expect(grantedAt - releasedAt).toBeLessThanOrEqual(3_000 / 4);
    second.finish();
    await within(clock, 100, next);
  });

  it('once for a lease that is held elsewhere, and then at most every half of its ttl without hints', async () => {
    const { clock, join, shared } = countedWorld();
    const a = await join('a');
    const b = await join('b');
    const work = deaf();
    const held = a.fleet.lease('billing', work.work, { ttl: 3_000 });
    await clock.advance(10);
    shared.loseHints();
    b.engine.reset();
    const waiting = rejection(b.fleet.lease('billing', () => {}, { ttl: 3_000, timeout: 4_000 }));
    await clock.advance(1_499);
    expect(b.engine.requestCount).toBe(1);
    await within(clock, 2_600, waiting);
    expect(b.engine.calls.hold).toBeLessThanOrEqual(4);
    work.finish();
    await within(clock, 100, held);
  });
});
