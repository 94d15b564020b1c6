import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { type HeldLease, LeaseLostError } from '@quiesce/fleet';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, world } from './vocabulary.ts';

describe('a lease', () => {
  it('is held by one process at a time, with a fence that grows, and is handed on when the work has ended', async () => {
    const { clock, join } = world();
    const fleets = [await join('a'), await join('b'), await join('c')];
    const held: HeldLease[] = [];
    let running = 0;
    const all = fleets.map((fleet) =>
      fleet.lease('billing', async (_token, lease) => {
        expect(++running).toBe(1);
        held.push(lease);
        await new Promise<void>((resolve) => void clock.setTimer(1_000, resolve));
        running--;
        return lease.fence;
      }),
    );
    await clock.advance(3_000);
    expect(await Promise.all(all)).toEqual([1, 2, 3]);
    expect(held.map(({ name }) => name)).toEqual(['billing', 'billing', 'billing']);
  });

  it('is renewed for as long as the work runs, and longer than its ttl', async () => {
    const { clock, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const work = deaf();
    let token: CancellationToken | undefined;
    let held: HeldLease | undefined;
    const first = a.lease('billing', (given, lease) => {
      [token, held] = [given, lease];
      return work.work();
    });
    expect(a.inspect().leases.length).toBe(0);
    await clock.advance(100_000);
    expect(token?.isCancelled).toBe(false);
    expect(held?.left).toBeGreaterThan(6_000);
    expect(a.inspect().leases).toMatchObject([{ name: 'billing', fence: 1 }]);
    const second = b.lease('billing', () => 'second');
    await clock.advance(100_000);
    work.finish();
    await first;
    expect(await second).toBe('second');
  });

  it('is cancelled before the engine can grant it again, when the holder is cut off', async () => {
    const { clock, engine, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const times: number[] = [];
    const first = a.lease('billing', async (token) => {
      await token.cancelled();
      times.push(clock.now());
      throw token.reason;
    });
    const lost = rejection(first);
    await clock.advance(0);
    engine.cut('a');
    const second = b.lease('billing', () => times.push(clock.now()));
    await clock.advance(30_000);
    expect(await lost).toBeInstanceOf(LeaseLostError);
    expect(await lost).toMatchObject({ code: 'ERR_LEASE_LOST', lease: 'billing', fence: 1 });
    await second;
    expect(times).toEqual([12_000, 15_000]);
  });

  it('is over for a process that was stopped, at its first look', async () => {
    const { clock, join } = world();
    const fleet = await join('a');
    let token: CancellationToken | undefined;
    const work = deaf();
    const lease = fleet.lease('billing', (given) => {
      token = given;
      return work.work();
    });
    await clock.advance(0);
    // Neither a timer nor an answer of the engine came, as while the process stood still.
    clock.suspend(12_000);
    expect(token?.isCancelled).toBe(true);
    work.finish();
    await lease;
  });

  it('stays with its holder until the cleanup has ended, although the token is cancelled', async () => {
    const { clock, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const signal = new CancellationToken();
    const cleanup = deaf();
    const first = a.lease('billing', () => cleanup.work(), { signal });
    await clock.advance(0);
    let isGranted = false;
    const second = b.lease('billing', () => {
      isGranted = true;
    });
    signal.cancel('enough');
    await clock.advance(60_000);
    expect(isGranted).toBe(false);
    cleanup.finish();
    await first;
    await second;
    expect(isGranted).toBe(true);
  });

  it('is lost when the engine has lost it', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('a');
    const lease = rejection(fleet.lease('billing', obedient));
    await clock.advance(0);
    engine.goBack();
    await clock.advance(5_000);
    expect(((await lease) as Error).message).toBe('The lease "billing" (fence 1) is lost: the engine no longer has it');
  });

  it('gives back a permit that was granted after the wait had ended', async () => {
    const { clock, engine, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    engine.delay(2_000, 'a');
    const failure = rejection(a.lease('billing', () => 'ran', { timeout: 1_000 }));
    await clock.advance(1_000);
    expect(await failure).toBeInstanceOf(TimeoutError);
    const second = b.lease('billing', () => 'second');
    await clock.advance(4_000);
    expect(await second).toBe('second');
  });

  it('counts its time from before the request, so that a slow answer makes it shorter', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('a');
    engine.delay(2_000);
    let left = 0;
    const lease = fleet.lease('billing', (_token, held) => {
      left = held.left;
    });
    await clock.advance(2_000);
    expect(left).toBe(10_000);
    engine.heal();
    await clock.advance(2_000);
    await lease;
  });

  it('is granted to as many processes as it has permits', async () => {
    const { clock, join } = world();
    const fleets = await Promise.all(Array.from({ length: 8 }, (_, index) => join(`n${index}`)));
    let [running, most] = [0, 0];
    const all = fleets.map((fleet) =>
      fleet.lease(
        'import',
        async () => {
          most = Math.max(most, ++running);
          await new Promise<void>((resolve) => void clock.setTimer(100, resolve));
          running--;
        },
        { permits: 2 },
      ),
    );
    await clock.advance(10_000);
    await Promise.all(all);
    expect(most).toBe(2);
  });

  it('two calls of one process compete like those of two', async () => {
    const { clock, join } = world();
    const fleet = await join('a');
    let running = 0;
    const all = [1, 2, 3].map(() =>
      fleet.lease('billing', async () => {
        expect(++running).toBe(1);
        await new Promise<void>((resolve) => void clock.setTimer(10, resolve));
        running--;
      }),
    );
    await clock.advance(100);
    await Promise.all(all);
  });

  it('ends its wait with the reason of its signal, its timeout, or the stop of the fleet', async () => {
    const { clock, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const holder = deaf();
    const held = a.lease('billing', holder.work);
    await clock.advance(0);
    const signal = new CancellationToken();
    const waits = [
      rejection(b.lease('billing', () => {}, { signal })),
      rejection(b.lease('billing', () => {}, { timeout: 1_000 })),
      rejection(b.lease('billing', () => {})),
    ];
    signal.cancel('enough');
    await clock.advance(1_000);
    b.stop();
    expect(await waits[0]).toBe('enough');
    expect(await waits[1]).toBeInstanceOf(TimeoutError);
    expect(await waits[2]).toBeInstanceOf(ClosedError);
    holder.finish();
    await held;
    expect(b.inFlightCount).toBe(0);
  });

  it('leaves no timer behind', async () => {
    const { clock, join } = world();
    const fleet = await join('a');
    await fleet.lease('billing', () => 'done');
    await fleet.close();
    expect(clock.pendingCount).toBe(0);
  });

  it.each([
    ['', {}, TypeError],
    [7, {}, TypeError],
    ['x', { permits: 0 }, RangeError],
    ['x', { permits: 1.5 }, RangeError],
    ['x', { ttl: 999 }, RangeError],
    ['x', { ttl: '1s' }, TypeError],
    ['x', { ttl: 1_000, grace: 501 }, RangeError],
    ['x', { timeout: -1 }, RangeError],
    ['x', { signal: 'no' }, TypeError],
    ['x', { fair: true }, TypeError],
  ])('refuses %j with %j', async (name, options, type) => {
    const { join } = world();
    const fleet = await join('a');
    expect(await rejection(fleet.lease(name as string, () => {}, options as object))).toBeInstanceOf(type);
  });
});
