import { CancellationToken, ClosedError, setUncaughtHandler, TimeoutError } from '@quiesce/cancellation-token';
import { type HeldLease, joinFleet, LeaseLostError } from '@quiesce/fleet';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { around, deaf, gate, obedient, rejection, world } from './vocabulary.ts';

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

  it('is cancelled before that also without `expiryMargin`, on an engine that counts whole ms', async () => {
    const { clock, engine, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    await clock.advance(0.9);
    const times: number[] = [];
    const lost = rejection(
      a.lease(
        'billing',
        async (token) => {
          await token.cancelled();
          times.push(clock.now());
          throw token.reason;
        },
        { ttl: 1_000, expiryMargin: 0 },
      ),
    );
    await clock.advance(0.1);
    engine.cut('a');
    const second = b.lease('billing', () => times.push(clock.now()), { ttl: 1_000 });
    await clock.advance(5_000);
    await lost;
    await second;
    expect(times).toEqual([999.9, 1_000]);
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

  it('is over when the machine slept while the answer was on its way', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('a');
    engine.delay(1_000);
    const fences: number[] = [];
    const lease = fleet.lease('billing', (_token, { fence }) => {
      fences.push(fence);
    });
    await clock.advance(500);
    clock.suspend(60_000);
    await clock.advance(500);
    expect(fences).toEqual([]);
    // It was given back, and is asked for again.
    await clock.advance(20_000);
    await lease;
    expect(fences).toEqual([2]);
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

  it('gives back a permit that was granted while the fleet closed', async () => {
    const { clock, engine, join } = world();
    const b = await join('b');
    const answered = gate();
    let isClosed = false;
    const slow = around(engine, ({ hold, release }) => ({
      hold: async (slot) => {
        const answer = await hold(slot);
        await answered.opened;
        return answer;
      },
      release: async (slot) => {
        if (!isClosed) await release(slot);
      },
      close: async () => {
        isClosed = true;
      },
    }));
    const a = await joinFleet({ engine: slow, clock, node: 'a' });
    const failure = rejection(a.lease('billing', () => 'ran', { ttl: 3_600_000 }));
    await clock.advance(0);
    const closed = a.close();
    await clock.advance(500);
    answered.open();
    await clock.advance(500);
    expect(await failure).toBeInstanceOf(ClosedError);
    await closed;
    const second = b.lease('billing', () => 'second');
    await clock.advance(0);
    expect(await second).toBe('second');
  });

  it('gives back a permit whose grant was not confirmed before the wait ended', async () => {
    // The second request comes after the timeout.
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    onTestFinished(() => void vi.restoreAllMocks());
    const { clock, engine, join } = world();
    const b = await join('b');
    let isLost = true;
    const lossy = around(engine, ({ hold }) => ({
      hold: async (slot) => {
        const answer = await hold(slot);
        if (isLost) throw new Error('the answer was lost');
        return answer;
      },
    }));
    const a = await joinFleet({ engine: lossy, clock, node: 'a' });
    // Answers arrive from the end of the wait on. A retry has a random delay, and may come before that.
    clock.setTimer(1, () => {
      isLost = false;
    });
    const failure = rejection(a.lease('billing', () => 'ran', { timeout: 1, ttl: 3_600_000 }));
    await clock.advance(1);
    expect(await failure).toBeInstanceOf(TimeoutError);
    const second = b.lease('billing', () => 'second');
    await clock.advance(0);
    expect(await second).toBe('second');
  });

  it('gives back a permit that the engine granted to a request which it handled late', async () => {
    const { clock, engine, join } = world();
    const b = await join('b');
    const delayed = gate();
    let count = 0;
    const slow = around(engine, ({ hold }) => ({
      hold: async (slot) => {
        if (++count === 1) await delayed.opened;
        return hold(slot);
      },
    }));
    const a = await joinFleet({ engine: slow, clock, node: 'a' });
    const first = a.lease('billing', () => 'first', { ttl: 3_600_000 });
    await clock.advance(5_000);
    expect(await first).toBe('first');
    delayed.open();
    await clock.advance(0);
    const second = b.lease('billing', () => 'second');
    await clock.advance(0);
    expect(await second).toBe('second');
  });

  it('does not start work whose permit was granted too late to be of use', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('a');
    engine.delay(900);
    let isCancelled: boolean | undefined;
    const lease = fleet.lease(
      'billing',
      (token) => {
        isCancelled = token.isCancelled;
      },
      { ttl: 1_000 },
    );
    await clock.advance(3_000);
    expect(isCancelled).toBe(undefined);
    engine.heal();
    await clock.advance(3_000);
    await lease;
    expect(isCancelled).toBe(false);
  });

  it.each(['stop', 'signal'])('does not start after its %s, which comes with the permit', async (end) => {
    const { clock, engine } = world();
    for (let delay = 0; delay < 30; delay++) {
      const signal = new CancellationToken();
      let isOver = false;
      const racing = around(engine, ({ hold }) => ({
        hold: (slot) => {
          const answer = hold(slot);
          let rounds = delay;
          const act = (): void => {
            if (rounds-- > 0) {
              queueMicrotask(act);
              return;
            }
            isOver = true;
            if (end === 'stop') fleet.stop();
            else signal.cancel('enough');
          };
          void answer.then(act);
          return answer;
        },
      }));
      const fleet = await joinFleet({ engine: racing, clock });
      let hasStartedLate = false;
      const work = (): void => {
        hasStartedLate = isOver;
      };
      await fleet.lease(`lease ${delay}`, work, { signal }).catch(() => {});
      expect([delay, hasStartedLate]).toEqual([delay, false]);
      await fleet.close();
    }
  });

  it('tries again when a hint comes before the answer that there is no permit', async () => {
    const { clock, engine, join } = world();
    const a = await join('a');
    const work = deaf();
    const first = a.lease('billing', work.work);
    await clock.advance(0);
    const answered = gate();
    let isHeld = true;
    const slow = around(engine, ({ hold }) => ({
      hold: async (slot) => {
        const answer = await hold(slot);
        if (isHeld) await answered.opened;
        return answer;
      },
    }));
    const b = await joinFleet({ engine: slow, clock, node: 'b' });
    const second = b.lease('billing', () => clock.now());
    await clock.advance(0);
    work.finish();
    await first;
    await clock.advance(0);
    isHeld = false;
    answered.open();
    await clock.advance(10_000);
    expect(await second).toBe(0);
  });

  it('tries once when its timeout is 0', async () => {
    const { clock, engine, join } = world();
    const [a, b] = [await join('a'), await join('b')];
    const work = deaf();
    const first = a.lease('billing', work.work, { timeout: 0 });
    await clock.advance(0);
    const error = await rejection(b.lease('billing', () => 'second', { timeout: 0 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).message).toBe('lease "billing": no permit is free');
    work.finish();
    await first;
    expect(await b.lease('billing', () => 'second', { timeout: 0 })).toBe('second');
    engine.cut('b');
    expect(await rejection(b.lease('billing', () => 'third', { timeout: 0 }))).toBeInstanceOf(TimeoutError);
  });

  it('ends its wait cleanly when that is over at the moment at which a request fails', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('a');
    const errors: unknown[] = [];
    const before = setUncaughtHandler((error) => errors.push(error));
    engine.hang();
    const failure = rejection(fleet.lease('billing', () => 'ran', { timeout: 3_000 }));
    await clock.advance(3_000);
    setUncaughtHandler(before);
    expect(await failure).toBeInstanceOf(TimeoutError);
    expect([fleet.inFlightCount, errors]).toEqual([0, []]);
  });

  it('is lost when the engine does not say that it was renewed', async () => {
    for (const answer of [{ wait: 5 }, {}]) {
      const { clock, engine } = world();
      const forgetful = around(engine, ({ hold }) => ({
        hold: async (slot) => (slot.fence === undefined ? hold(slot) : (answer as { wait: number })),
      }));
      const fleet = await joinFleet({ engine: forgetful, clock });
      const lease = rejection(fleet.lease('billing', obedient));
      await clock.advance(12_000);
      expect(await lease).toBeInstanceOf(LeaseLostError);
    }
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
    ['x', { ttl: 1_000, expiryMargin: 501 }, RangeError],
    ['x', { timeout: -1 }, RangeError],
    ['x', { signal: 'no' }, TypeError],
    ['x', { fair: true }, TypeError],
  ])('refuses %j with %j', async (name, options, type) => {
    const { join } = world();
    const fleet = await join('a');
    expect(await rejection(fleet.lease(name as string, () => {}, options as object))).toBeInstanceOf(type);
  });
});
