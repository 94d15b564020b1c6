import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { EngineUnavailableError, type Fleet } from '@quiesce/fleet';
import { Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, world } from './vocabulary.ts';

describe('a run', () => {
  it('starts inside the call, and settles as its work does', async () => {
    const { join } = world();
    const fleet = await join('one');
    let isStarted = false;
    const run = fleet.run(['jobs', 1], (token, { key }) => {
      isStarted = true;
      return [token.isCancelled, key];
    });
    expect(isStarted).toBe(true);
    expect(await run).toEqual([false, 'jobs/1']);
    const error = new Error('failed');
    expect(await rejection(fleet.run('jobs/1', () => Promise.reject(error)))).toBe(error);
    const thrown = fleet.run('jobs/1', () => {
      throw error;
    });
    expect(await rejection(thrown)).toBe(error);
    expect(fleet.inspect().runs).toEqual([]);
  });

  it('reads first when its knowledge is older than two rereads, and then starts with what is known', async () => {
    const { clock, engine, join } = world();
    const [fleet, api] = [await join('one'), await join('api')];
    engine.cut('one');
    await clock.advance(10_001);
    await api.cancel('jobs/1', 'stop');
    expect(await fleet.run('jobs/1', () => 'ran')).toBe('ran');
    engine.heal('one');
    // The link is not up again yet, and the read of the run itself finds the cancel.
    expect(await rejection(fleet.run('jobs/1', () => 'ran'))).toBe('stop');
  });

  it('is cancelled by its signal, without starting when that is cancelled already', async () => {
    const { join } = world();
    const fleet = await join('one');
    const signal = new CancellationToken();
    const run = rejection(fleet.run('jobs/1', obedient, { signal }));
    signal.cancel('enough');
    expect(await run).toBe('enough');
    expect(await rejection(fleet.run('jobs/1', () => 'ran', { signal }))).toBe('enough');
  });

  it('is cancelled when the engine is unavailable for too long, and refused then', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('one');
    await clock.advance(5_000);
    const run = rejection(fleet.run('jobs/1', obedient, { unreachable: 15_000 }));
    await clock.advance(30_000);
    expect(fleet.inspect().runs[0]?.isCancelled).toBe(false);
    engine.cut();
    await clock.advance(14_999);
    expect(fleet.inspect().runs.length).toBe(1);
    await clock.advance(1);
    expect(await run).toBeInstanceOf(EngineUnavailableError);
    expect(await rejection(fleet.run('jobs/1', () => 'ran', { unreachable: 15_000 }))).toBeInstanceOf(
      EngineUnavailableError,
    );
    expect(await fleet.run('jobs/1', () => 'ran')).toBe('ran');
  });

  it('hits no other attempt', async () => {
    const { join, settle } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const attempts = [1, 2, 3, 10, 11].map((attempt) => worker.token(['jobs', 42, attempt]));
    await api.cancel(['jobs', 42, 1], 'stop');
    await settle();
    expect(attempts.map(({ isCancelled }) => isCancelled)).toEqual([true, false, false, false, false]);
  });
});

describe('closing a fleet', () => {
  it('cancels what is left, waits for its end, answers and leaves', async () => {
    const { clock, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const cleanup = deaf();
    const log: string[] = [];
    const run = worker.run('jobs/1', async (token) => {
      await token.cancelled();
      await cleanup.work();
      log.push('cleaned up');
    });
    const closed = worker.close().then(() => log.push('closed'));
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(1_000);
    expect(log).toEqual([]);
    expect(await rejection(worker.run('jobs/2', () => {}))).toBeInstanceOf(ClosedError);
    cleanup.finish();
    await run;
    await closed;
    expect(log).toEqual(['cleaned up', 'closed']);
    expect((await receipt).state).toBe('ended');
    expect(worker.state.borrow().link).toBe('closed');
    expect(await api.members()).toEqual([
      { id: api.id, state: 'live' },
      { id: worker.id, state: 'left' },
    ]);
    await api.close();
    expect(clock.pendingCount).toBe(0);
  });

  it('takes one requestTimeout for each call at most when the engine hangs', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('one');
    engine.hang();
    const closed = fleet.close();
    await clock.advance(9_000);
    await closed;
    expect(clock.pendingCount).toBe(0);
  });

  it('is a drainable that cancels the runs at the deadline with its reason', async () => {
    const { clock, join } = world();
    const fleet = await join('one');
    const run = rejection(fleet.run('jobs/1', obedient));
    const drain = rejection(fleet.drain(CancellationToken.timeout(1_000, { clock, name: 'deadline' })));
    expect([fleet.inFlightCount, fleet.inFlightNames]).toEqual([1, ['jobs/1']]);
    expect(await rejection(fleet.run('jobs/2', () => {}))).toBeInstanceOf(ClosedError);
    await clock.advance(1_000);
    expect(await run).toBe(await drain);
    expect(fleet.inFlightCount).toBe(0);
    await fleet.drain(CancellationToken.never);
    await fleet.close();
  });
});

describe('the state of a fleet', () => {
  it('tells that the link is down, why, and that it is up again', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('one');
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const { link, error } of fleet.state) seen.push([link, (error as Error | undefined)?.message]);
    })();
    engine.cut();
    await clock.advance(20_000);
    engine.heal();
    await clock.advance(2_000);
    await fleet.close();
    await watching;
    expect(seen).toEqual([
      ['down', 'the connection was cut'],
      ['up', undefined],
      ['closed', undefined],
    ]);
  });

  it('counts the time for which it was away beyond the retention', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('one', { retention: 60_000 });
    engine.cut();
    await clock.advance(100_000);
    engine.heal();
    await clock.advance(2_000);
    const { missedMs: missed } = fleet.state.borrow();
    expect(missed).toBeGreaterThanOrEqual(40_000);
    expect(missed).toBeLessThanOrEqual(42_000);
    expect(fleet.age).toBeLessThan(2_000);
  });

  it('recovers from a connection that hangs', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const token = worker.token('jobs/1');
    engine.hang('worker');
    await clock.advance(20_000);
    expect(worker.state.borrow().link).toBe('down');
    await api.cancel('jobs/1', 'stop');
    engine.heal();
    await clock.advance(5_000);
    expect(token.reason).toBe('stop');
    expect(worker.state.borrow().link).toBe('up');
  });
});

describe('joining', () => {
  it('gives up after joinTimeout, with the last error as its cause', async () => {
    const { clock, engine, join } = world();
    engine.cut();
    const failure = rejection(join('one', { joinTimeout: 2_000 }));
    await clock.advance(2_000);
    expect(await failure).toBeInstanceOf(EngineUnavailableError);
    expect(((await failure) as Error).cause).toMatchObject({ message: 'the connection was cut' });
    await clock.advance(10_000);
    expect(clock.pendingCount).toBe(0);
  });

  it('succeeds when the engine comes back in time', async () => {
    const { clock, engine, join } = world();
    engine.hang();
    const joined = join('one');
    await clock.advance(4_000);
    engine.heal();
    await clock.advance(6_000);
    expect((await joined).state.borrow().link).toBe('up');
  });

  it('refuses another retention than the one of the namespace', async () => {
    const { join } = world();
    await join('one');
    const error = await rejection(join('two', { retention: 60_000 }));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toContain('retention is 60000, but the namespace "default" has 3600000');
  });

  it.each([
    [{ node: 'a/b' }, RangeError],
    [{ node: '' }, RangeError],
    [{ namespace: 'no spaces' }, RangeError],
    [{ namespace: 7 }, TypeError],
    [{ reread: 99 }, RangeError],
    [{ reread: '5s' }, TypeError],
    [{ memberTtl: 10_000 }, RangeError],
    [{ memberTtl: Number.POSITIVE_INFINITY }, RangeError],
    [{ lostFor: Number.POSITIVE_INFINITY }, RangeError],
    [{ requestTimeout: 10 }, RangeError],
    [{ retention: 1_000 }, RangeError],
    [{ member: 'no' }, TypeError],
    [{ engine: {} }, TypeError],
    [{ nodes: 'typo' }, TypeError],
  ])('refuses %j', async (options, type) => {
    const { join } = world();
    expect(await rejection(join('one', options as object))).toBeInstanceOf(type);
  });

  it.each([
    ...['reread', 'memberTtl', 'lostFor', 'requestTimeout', 'joinTimeout', 'retention'].map(
      (option) => ['joinFleet', option] as const,
    ),
    ...['timeout', 'ttl'].map((option) => ['cancel', option] as const),
    ...['permits', 'ttl', 'expiryMargin', 'timeout'].map((option) => ['lease', option] as const),
    ...['permits', 'ttl', 'timeout'].map((option) => ['attach: slot', option] as const),
    ['run', 'unreachable'],
  ] as const)('%s: %s is refused with a TypeError when it is not a number', async (call, option) => {
    const { join } = world();
    const wrong = { [option]: '5000' };
    const calls: Record<string, (fleet: Fleet) => unknown> = {
      joinFleet: () => join('two', wrong),
      cancel: (fleet) => fleet.cancel('jobs', undefined, wrong),
      lease: (fleet) => fleet.lease('billing', () => {}, wrong),
      run: (fleet) => fleet.run('jobs/1', () => {}, wrong),
      'attach: slot': (fleet) => fleet.attach(new Shutdown({ logger: false }), { slot: { name: 'rollout', ...wrong } }),
    };
    const fleet = await join('one');
    const error = await rejection((async () => calls[call]?.(fleet))());
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: expect.stringContaining(`${call}: ${option} must be `) });
  });
});
