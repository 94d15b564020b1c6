import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { Shutdown, type ShutdownProgress } from '@quiesce/shutdown';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { deaf, job, obedient, pool, start, turn } from './vocabulary.ts';

describe('the states', () => {
  it('follow one another and never go back, and the watch has each', async () => {
    const { shutdown, end } = start({ readinessDelay: 10 });
    const seen: string[] = [];
    const watching = shutdown.watch();
    const watched = (async () => {
      for await (const { state } of watching) if (seen.at(-1) !== state) seen.push(state);
    })();
    expect(shutdown.state).toBe('running');
    shutdown.request();
    expect(shutdown.state).toBe('stopping');
    expect((await end()).state).toBe('stopped');
    await watched;
    expect(seen).toEqual(['stopping', 'draining', 'cleanup', 'stopped']);
  });

  it('change at once with the request, as does readiness; accepting ends after the delay', async () => {
    const { shutdown, clock, end } = start({ readinessDelay: 100 });
    const { drainable, seen, finish } = job('http');
    shutdown.add(drainable);
    expect(shutdown.isReady).toBe(true);
    expect(shutdown.request('deploy')).toBe(true);
    expect(shutdown.isReady).toBe(false);
    await clock.advance(99);
    expect([shutdown.state, shutdown.stopAccepting.isCancelled, seen]).toEqual(['stopping', false, []]);
    await clock.advance(1);
    expect([shutdown.state, shutdown.stopAccepting.isCancelled, seen]).toEqual(['draining', true, ['stop', 'drain']]);
    expect(shutdown.stopNow.isCancelled).toBe(false);
    finish();
    expect((await end()).exitCode).toBe(0);
    expect(shutdown.stopNow.isCancelled).toBe(true);
  });

  it('are all passed by a shutdown with nothing to do', async () => {
    const { shutdown, clock, end } = start();
    shutdown.request();
    const report = await end();
    expect(report.phases.map(({ phase }) => phase)).toEqual(['stopping', 'draining', 'cleanup', 'final']);
    expect(report).toMatchObject({ exitCode: 0, durationMs: 0, startedAt: new Date(1_000_000) });
    expect(clock.pendingCount).toBe(0);
  });
});

describe('a request', () => {
  it('counts only once: the reason of the first is the reason of the shutdown, verbatim', async () => {
    const { shutdown, end } = start();
    const reason = { by: 'deploy' };
    expect([shutdown.request(reason), shutdown.request('again')]).toEqual([true, false]);
    const report = await end();
    expect(shutdown.stopAccepting.reason).toBe(reason);
    expect(shutdown.stopNow.reason).toBe(reason);
    expect(report.request).toEqual({ kind: 'call', reason });
  });

  it('without a reason gives a CancelledError with the source `shutdown`', async () => {
    const { shutdown, end } = start();
    shutdown.request();
    await end();
    expect(shutdown.stopNow.reason).toBeInstanceOf(CancelledError);
    expect(shutdown.stopNow.reason).toMatchObject({ source: 'shutdown' });
    expect(shutdown.stopAccepting.reason).toBe(shutdown.stopNow.reason);
  });

  it.each(['token', 'AbortSignal'])(
    'can come from the `signal` option (%s), also when that is already cancelled',
    async (kind) => {
      const controller = new AbortController();
      const token = new CancellationToken();
      const { shutdown, end } = start({ signal: kind === 'token' ? token : controller.signal });
      expect(shutdown.state).toBe('running');
      if (kind === 'token') token.cancel('parent');
      else controller.abort('parent');
      expect(shutdown.state).toBe('stopping');
      expect((await end()).request).toEqual({ kind: 'abort', reason: 'parent' });
      const late = start({ signal: AbortSignal.abort('before') });
      expect(late.shutdown.state).toBe('stopping');
      expect((await late.end()).request).toEqual({ kind: 'abort', reason: 'before' });
    },
  );

  it('is made by cancelling one of the two tokens', async () => {
    const { shutdown, end } = start();
    shutdown.stopAccepting.cancel('mine');
    expect(shutdown.state).toBe('stopping');
    expect((await end()).request).toEqual({ kind: 'call', reason: 'mine' });
    const other = start();
    other.shutdown.stopNow.cancel('now');
    expect(other.shutdown.state).toBe('stopping');
    expect((await other.end()).exitCode).toBe(0);
  });

  it('calls no hook and stops nothing synchronously', () => {
    const { shutdown, log, say } = start();
    const { drainable, seen } = job('http');
    shutdown.add(drainable);
    shutdown.hook('deregister', () => say('deregister'), { phase: 'stopping' });
    shutdown.request();
    expect([log, seen]).toEqual([[], []]);
  });

  it('has one end and one report, for any number of waiters, before and after', async () => {
    const { shutdown, end } = start();
    const before = shutdown.stopped();
    shutdown.request();
    const report = await end();
    expect(await before).toBe(report);
    expect(await shutdown.stopped()).toBe(report);
    const late = start();
    late.shutdown.request();
    await late.clock.advance(0);
    expect((await late.shutdown.stopped()).state).toBe('stopped');
  });
});

describe('draining', () => {
  it('waits for work in flight, and runs the cleanup after it', async () => {
    const { shutdown, clock, log, say, busy, end } = start();
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    shutdown.hook('db', () => say('db'));
    void requests.spawn(busy('request', 30));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['0 request begins', '30 request ends', '30 db']);
    expect(report.drained).toContainEqual({
      ...{ name: 'requests', inFlightCountAtStart: 1, inFlightCount: 0, durationMs: 30, outcome: 'drained' },
    });
    expect(report.exitCode).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });

  it('is cut off at drainTimeout: the rest is cancelled, then awaited', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    void requests.spawn(async () => {
      await shutdown.stopNow.cancelled();
      say('cancelled');
      await sleep(20, { clock });
      say('gone');
    });
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['100 cancelled', '120 gone', '120 db']);
    expect(report).toMatchObject({ cutOff: [{ name: 'requests', inFlightCount: 1 }], unfinished: [], exitCode: 1 });
  });

  it.each([
    ['has ended', 30, 1_000, ['100 cancelled: deploy', '130 gone', '130 db'], []],
    [
      'has ended, also when it takes longer than the limit of the pool',
      30,
      0,
      ['100 cancelled: deploy', '130 gone', '130 db'],
      [],
    ],
    ['ignores it', 70, 1_000, ['100 cancelled: deploy', '150 db', '170 gone'], ['pool (1 in flight)']],
  ])('aborts drainables at drainTimeout, and awaits work that %s', async (_, ms, own, says, left) => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const { drainable, cut, jobs } = pool(own, clock);
    const ended = jobs.spawn(async () => {
      await cut.cancelled();
      say(`cancelled: ${cut.reason}`);
      await sleep(ms, { clock });
      say('gone');
    });
    shutdown.add(drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request('deploy');
    const report = await end();
    await clock.run(() => ended);
    expect(log).toEqual(says);
    expect(report).toMatchObject({ cutOff: [{ name: 'pool', inFlightCount: 1 }], exitCode: 1 });
    expect(report.unfinished.map(({ name }) => name)).toEqual(left);
  });

  it('ends after cancelTimeout, and names the work that never finished', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const { drainable, seen } = job('http', 3);
    shutdown.add(drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['150 db']);
    // `abort` is called at drainTimeout. The signal is cancelled when the drain is no longer awaited.
    expect(seen).toEqual(['stop', 'drain', 'abort', 'signal']);
    expect(report.unfinished).toEqual([{ name: 'http (3 in flight)', ageMs: 150 }]);
    expect(report.drained).toContainEqual({
      ...{ name: 'http', inFlightCountAtStart: 3, inFlightCount: 3, durationMs: 150, outcome: 'unfinished' },
    });
    expect(report.exitCode).toBe(1);
  });

  it('names each task of a scope, with its age and the place that spawned it', async () => {
    const { scope } = await import('@quiesce/scope');
    const { shutdown, clock, end } = start({ drainTimeout: 10, cancelTimeout: 5 });
    const tracker = new TaskTracker({ name: 'import' });
    void scope(
      (s) => {
        shutdown.add(tracker, { tree: () => s.tree() });
        void tracker.track(s.spawn(deaf, { name: 'row 17' }));
        return s.spawn(deaf, { name: 'row 18' });
      },
      { clock, spawnSites: true, name: 'rows' },
    );
    await clock.advance(5);
    shutdown.request();
    const { unfinished } = await end();
    expect(unfinished).toMatchObject([
      { name: 'rows / row 17', ageMs: 20 },
      { name: 'rows / row 18', ageMs: 20 },
    ]);
    expect(unfinished[0]?.site).toMatch(/shutdown\.test\.\w+:\d+:\d+/);
  });

  it('accepts a drainable that is added during it: it is stopped at once, and awaited', async () => {
    const { shutdown, clock, end } = start();
    const [first, second] = [job('first'), job('second')];
    shutdown.add(first.drainable);
    shutdown.request();
    await clock.advance(10);
    shutdown.add(second.drainable);
    expect(second.seen).toEqual(['stop', 'drain']);
    first.finish();
    await clock.advance(10);
    expect([shutdown.state, shutdown.progress.waitingFor]).toEqual(['draining', ['second']]);
    second.finish();
    expect((await end()).durationMs).toBe(20);
  });

  it('refuses a drainable that is added after it, and does not stop that', async () => {
    const { shutdown, end } = start();
    shutdown.request();
    await end();
    const { drainable, seen } = job('late');
    expect(() => shutdown.add(drainable)).toThrow(/"late" comes too late.*state stopped/);
    expect(seen).toEqual([]);
  });

  it('ignores a drainable that was removed in time', async () => {
    const { shutdown, end } = start();
    const { drainable, seen } = job('http');
    const added = shutdown.add(drainable);
    expect([added.dispose(), added.dispose()]).toEqual([true, false]);
    shutdown.request();
    expect((await end()).drained.map(({ name }) => name)).toEqual(['guards']);
    expect(seen).toEqual([]);
    const other = start();
    const late = other.shutdown.add(job('http').drainable);
    other.shutdown.request();
    await other.clock.advance(0);
    expect(late.dispose()).toBe(false);
  });
});

describe('guards', () => {
  it('are in flight until their first dispose', async () => {
    const { shutdown, clock, end } = start();
    const guard = shutdown.guard('import');
    shutdown.guard('export').dispose();
    expect([shutdown.progress.inFlightCount, guard.isHeld, guard.name]).toEqual([1, true, 'import']);
    shutdown.request();
    await clock.advance(30);
    expect(shutdown.progress).toMatchObject({ state: 'draining', waitingFor: ['guards'], elapsedMs: 30 });
    guard.dispose();
    guard.dispose();
    expect((await end()).exitCode).toBe(0);
    expect(guard.isHeld).toBe(false);
  });

  it('that are never disposed are named, with their age', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 10, cancelTimeout: 10 });
    const guard = shutdown.guard('lease of db');
    await clock.advance(5);
    shutdown.request();
    expect(await end()).toMatchObject({ unfinished: [{ name: 'lease of db', ageMs: 25 }], exitCode: 1 });
    expect(guard.isHeld).toBe(true);
  });
});

describe('progress', () => {
  it('is measured at intervals while the shutdown waits, with the names of what it waits for', async () => {
    const { shutdown, clock, end } = start({ progressInterval: 10 });
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    const guards = [requests.guard(), requests.guard(), requests.guard()];
    const seen: ShutdownProgress[] = [];
    const watching = shutdown.watch();
    const watched = (async () => {
      for await (const progress of watching)
        if (progress.state === 'draining' && progress.inFlightCount !== seen.at(-1)?.inFlightCount) seen.push(progress);
    })();
    shutdown.request();
    for (const guard of guards) {
      await clock.advance(10);
      guard.dispose();
    }
    await end();
    await watched;
    expect(seen.map(({ inFlightCount }) => inFlightCount)).toEqual([3, 2, 1, 0]);
    expect(seen[0]).toEqual({ state: 'draining', inFlightCount: 3, waitingFor: ['requests'], elapsedMs: 0 });
    expect(clock.pendingCount).toBe(0);
  });

  it('names the hook that is running', async () => {
    const { shutdown, clock, busy, end } = start();
    shutdown.hook('db', busy('db', 20));
    shutdown.request();
    await clock.advance(10);
    expect(shutdown.progress).toEqual({ state: 'cleanup', inFlightCount: 0, waitingFor: ['db'], elapsedMs: 10 });
    await end();
    expect(shutdown.progress).toEqual({ state: 'stopped', inFlightCount: 0, waitingFor: [], elapsedMs: 20 });
  });

  it('can be watched after the end: it has the last value and no more changes', async () => {
    const { shutdown, end } = start();
    shutdown.request();
    await end();
    const receiver = shutdown.watch();
    expect(receiver.borrow().state).toBe('stopped');
    await expect(receiver.changed()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('a report', () => {
  it('is available at any time', async () => {
    const { shutdown, clock, end } = start();
    shutdown.hook('db', obedient);
    expect(shutdown.report()).toMatchObject({ state: 'running', request: undefined, exitCode: 0, durationMs: 0 });
    shutdown.request();
    await clock.advance(100);
    expect(shutdown.report()).toMatchObject({
      state: 'cleanup',
      durationMs: 100,
      endedAt: undefined,
      hooks: [{ name: 'db', outcome: 'running', durationMs: 100 }],
    });
    await end();
  });

  it('has the request, its time, and the duration of each phase', async () => {
    const { shutdown, busy, clock, end } = start({ readinessDelay: 5, name: 'api' });
    shutdown.add(Object.assign(new TaskTracker({ name: 'jobs' })));
    shutdown.hook('a', busy('a', 7));
    shutdown.hook('b', busy('b', 11), { phase: 'final' });
    await clock.advance(1_000);
    shutdown.request('deploy');
    const report = await end();
    expect(report).toMatchObject({
      name: 'api',
      startedAt: new Date(1_001_000),
      endedAt: new Date(1_001_023),
      durationMs: 23,
      phases: [
        { phase: 'stopping', durationMs: 5 },
        { phase: 'draining', durationMs: 0 },
        { phase: 'cleanup', durationMs: 7 },
        { phase: 'final', durationMs: 11 },
      ],
    });
    // Slowest first.
    expect(report.hooks.map(({ name }) => name)).toEqual(['b', 'a']);
  });
});

describe('new Shutdown', () => {
  it('refuses a bad time, a value that is not a signal, and a logger of an unknown kind', () => {
    for (const name of ['readinessDelay', 'drainTimeout', 'timeout', 'forceTimeout', 'progressInterval']) {
      expect(() => new Shutdown({ [name]: -1 })).toThrow(new RegExp(`^new Shutdown: ${name} must be`));
      expect(() => new Shutdown({ [name]: Number.NaN })).toThrow(RangeError);
    }
    expect(() => new Shutdown({ signal: new AbortController() as never })).toThrow(TypeError);
    for (const logger of [{ info() {}, warn() {}, error() {} }, { log() {} }, 1, 'pino', null, true, pino]) {
      expect(() => new Shutdown({ logger: logger as never })).toThrow(
        /^new Shutdown: logger: expected a function of the event, .*, got .*write \(event\) => log\[event\.level\]/,
      );
    }
    for (const name of ['', 1, null, Symbol('x')]) {
      expect(() => new Shutdown({ name: name as never })).toThrow(/^new Shutdown: name/);
    }
  });

  it('accepts times beyond the longest timer of the platform, which do not end at once', async () => {
    const month = 31 * 24 * 3_600_000;
    const limits = {
      drainTimeout: month,
      hookTimeout: month,
      timeout: Number.MAX_SAFE_INTEGER,
      progressInterval: month,
    };
    const shutdown = new Shutdown({ ...limits, cancelTimeout: month, finalTimeout: Number.POSITIVE_INFINITY });
    const guard = shutdown.guard('work');
    const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
    shutdown.hook('slow', turns);
    shutdown.hook('last', turns, { phase: 'final' });
    shutdown.request();
    await turns();
    expect(shutdown.state).toBe('draining');
    guard.dispose();
    expect(await shutdown.stopped()).toMatchObject({ exitCode: 0, cutOff: [], force: undefined });
  });

  it('adds no listener and keeps nothing alive until `install`', async () => {
    const counts = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
    const before = counts();
    const shutdown = new Shutdown();
    await turn();
    expect(counts()).toEqual(before);
    expect(shutdown.state).toBe('running');
  });
});
