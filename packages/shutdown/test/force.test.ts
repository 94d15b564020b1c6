import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import { shutdownChannel } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, job, start } from './vocabulary.ts';

describe('a force', () => {
  it('cancels everything at once, and ends every wait', async () => {
    const { shutdown, clock, log, say, end } = start({ readinessDelay: 50 });
    const { drainable, seen } = job('http');
    shutdown.add(drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    await clock.advance(10);
    expect(shutdown.force()).toBe(true);
    expect([shutdown.stopNow.isCancelled, shutdown.stopAccepting.isCancelled]).toEqual([true, true]);
    const report = await end();
    expect(log).toEqual(['10 db']);
    expect(seen[0]).toBe('stop');
    expect(report).toMatchObject({ force: { by: 'call' }, durationMs: 10, exitCode: 1 });
    expect(report.unfinished).toMatchObject([{ name: 'http (1 in flight)' }]);
    expect(clock.pendingCount).toBe(0);
  });

  it('ends the running hook, and the other hooks share the rest of forceTimeout', async () => {
    const { shutdown, clock, log, say, busy, end } = start({ forceTimeout: 100 });
    let token: CancellationToken | undefined;
    shutdown.hook('skipped', () => say('skipped'));
    shutdown.hook('hangs', deaf);
    shutdown.hook('quick', busy('quick', 30));
    shutdown.hook('running', (given) => {
      token = given;
      return deaf();
    });
    shutdown.hook('telemetry', () => say('telemetry'), { phase: 'final' });
    shutdown.request();
    await clock.advance(10);
    shutdown.force();
    expect(token?.reason).toMatchObject({ source: 'shutdown' });
    const report = await end();
    expect(log).toEqual(['10 quick begins', '40 quick ends', '110 telemetry']);
    expect(report.hooks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['hangs', 'timed out'],
      ['quick', 'done'],
      ['running', 'cut off'],
      ['skipped', 'skipped'],
      ['telemetry', 'done'],
    ]);
    expect(report.skipped).toEqual(['skipped']);
  });

  it('aborts drainables at once, and cancels the signals of their drains, also while a hook of that phase still runs', async () => {
    const { shutdown, clock, log, busy, end } = start({ forceTimeout: 100 });
    const { drainable, seen } = job('http');
    shutdown.add(drainable);
    shutdown.hook('second', busy('second', 50), { phase: 'draining' });
    shutdown.hook('first', deaf, { phase: 'draining' });
    shutdown.request();
    await clock.advance(10);
    shutdown.force();
    expect(seen).toEqual(['stop', 'drain', 'abort']);
    await clock.advance(1);
    expect([seen, log]).toEqual([['stop', 'drain', 'abort', 'signal'], ['10 second begins']]);
    await end();
    expect(log).toEqual(['10 second begins', '60 second ends']);
  });

  it('is automatic at the total deadline', async () => {
    const { shutdown, clock, log, say, end } = start({ timeout: 200, hookTimeout: 1_000, drainTimeout: 1_000 });
    shutdown.add(job('http').drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['200 db']);
    expect(report).toMatchObject({ force: { by: 'deadline' }, exitCode: 1 });
    expect(clock.pendingCount).toBe(0);
  });

  it('limits each hook to the time left until the deadline', async () => {
    const { shutdown, clock, log, say, end } = start({ timeout: 100, hookTimeout: 70, forceTimeout: 5 });
    const limits: (Date | undefined)[] = [];
    const hangs = (token: CancellationToken): Promise<never> => {
      limits.push(token.deadline);
      return deaf();
    };
    shutdown.hook('last', () => say('last'));
    shutdown.hook('second', hangs);
    shutdown.hook('first', hangs);
    shutdown.request();
    const start0 = clock.wall();
    const report = await end();
    expect(limits).toEqual([new Date(start0 + 70), new Date(start0 + 100)]);
    expect(report.hooks).toContainEqual({ name: 'last', phase: 'cleanup', durationMs: 0, outcome: 'done' });
    expect(log).toEqual(['100 last']);
  });

  it('without a request is also a request', async () => {
    const { shutdown, end } = start();
    expect(shutdown.force()).toBe(true);
    expect(await end()).toMatchObject({ request: { kind: 'call' }, force: { by: 'call' } });
  });

  it('happens once, and not after the end', async () => {
    const { shutdown, end } = start();
    shutdown.request();
    expect([shutdown.force(), shutdown.force()]).toEqual([true, false]);
    await end();
    expect(shutdown.force()).toBe(false);
  });

  it('in the level `final` lets its hooks end', async () => {
    const { shutdown, clock, log, busy, end } = start({ finalTimeout: 100 });
    let token: CancellationToken | undefined;
    const telemetry = busy('telemetry', 50);
    const run = (given: CancellationToken): Promise<void> => {
      token = given;
      return telemetry();
    };
    shutdown.hook('telemetry', run, { phase: 'final' });
    shutdown.request();
    await clock.advance(10);
    expect(shutdown.force()).toBe(true);
    expect(token?.isCancelled).toBe(false);
    expect(await end()).toMatchObject({ durationMs: 50, hooks: [{ outcome: 'done' }], exitCode: 1 });
    expect(log).toEqual(['0 telemetry begins', '50 telemetry ends']);
  });

  it('of 0 ms skips every hook except the `final` ones, which all run', async () => {
    const { shutdown, log, say, end } = start({ forceTimeout: 0, finalTimeout: 20 });
    shutdown.hook('db', () => say('db'));
    shutdown.hook('last', () => say('last'), { phase: 'final' });
    shutdown.hook('hangs', deaf, { phase: 'final' });
    shutdown.force();
    const report = await end();
    expect(log).toEqual(['20 last']);
    expect(report.skipped).toEqual(['db']);
  });

  it('may be called by a hook, and by a callback of the tokens', async () => {
    const { shutdown, log, say, end } = start();
    shutdown.hook('last', () => say('last'));
    shutdown.hook('forces', () => void shutdown.force());
    shutdown.stopAccepting.onCancelled(() => shutdown.force());
    shutdown.request();
    expect((await end()).force).toEqual({ by: 'call' });
    expect(log).toEqual(['0 last']);
  });

  it('by a hook that then hangs gives that hook up at once, like any other', async () => {
    const { shutdown, log, say, end } = start({ hookTimeout: 5_000, forceTimeout: 100 });
    shutdown.hook('last', () => say('last'));
    shutdown.hook('forces', () => {
      shutdown.force();
      return deaf();
    });
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['0 last']);
    expect(report.hooks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['last', 'done'],
      ['forces', 'cut off'],
    ]);
  });

  it('by a subscriber of `hook:start` gives that hook up at once', async () => {
    const { shutdown, log, say, end } = start({ hookTimeout: 5_000 });
    const seen: boolean[] = [];
    shutdown.hook('last', () => say('last'));
    shutdown.hook('hangs', (token) => {
      seen.push(token.isCancelled);
      return deaf();
    });
    const listen = (message: unknown): void => {
      if ((message as { type: string }).type === 'hook:start') shutdown.force();
    };
    subscribe(shutdownChannel, listen);
    shutdown.request();
    await end();
    unsubscribe(shutdownChannel, listen);
    expect([seen, log]).toEqual([[true], ['0 last']]);
  });

  it('names the work that it cuts off, also when that work ends at once', async () => {
    const { shutdown, clock, end } = start({ readinessDelay: 50 });
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    shutdown.add(new TaskTracker({ name: 'idle' }));
    void requests.spawn(() => shutdown.stopNow.cancelled());
    shutdown.request();
    await clock.advance(10);
    shutdown.force();
    expect(await end()).toMatchObject({
      cutOff: [{ name: 'requests', inFlightCount: 1 }],
      unfinished: [],
      exitCode: 1,
    });
  });

  it('during cleanup cuts off no work', async () => {
    const { shutdown, clock, end } = start();
    shutdown.hook('begins', () => {
      shutdown.guard('late');
      return deaf();
    });
    shutdown.request();
    await clock.advance(10);
    shutdown.force();
    expect((await end()).cutOff).toEqual([]);
  });

  it('after drainTimeout names each drainable once, with the number in flight at drainTimeout', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 10, cancelTimeout: 100 });
    const guards = [shutdown.guard('a'), shutdown.guard('b')];
    shutdown.request();
    await clock.advance(20);
    guards[0]?.dispose();
    shutdown.force();
    expect((await end()).cutOff).toEqual([{ name: 'guards', inFlightCount: 2 }]);
  });
});
