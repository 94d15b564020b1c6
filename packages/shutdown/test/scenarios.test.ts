// The expectations of the tests of terminus, close-with-grace and http-graceful-shutdown. A test says where this package differs.
// Signals of real processes: test/e2e/shutdown.test.ts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { formatLogEvent, type LogEvent, Shutdown, type ShutdownEvent, shutdownChannel } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, job, start, thrown } from './vocabulary.ts';

describe('terminus', () => {
  it('onHealthcheck: the state is healthy until the signal arrives', async () => {
    const { shutdown, end } = start();
    const status = () => (shutdown.isReady ? 200 : 503);
    expect(status()).toBe(200);
    shutdown.request();
    expect(status()).toBe(503);
    await end();
    expect(status()).toBe(503);
  });

  it('beforeShutdown, onSignal, onShutdown: run in this order, each after the end of the one before', async () => {
    const { shutdown, log, busy, end } = start();
    shutdown.hook('beforeShutdown', busy('before', 10), { phase: 'stopping' });
    shutdown.hook('onSignal', busy('signal', 10));
    shutdown.hook('onShutdown', busy('shutdown', 10), { phase: 'final' });
    shutdown.request();
    await end();
    expect(log).toEqual([
      ...['0 before begins', '10 before ends', '10 signal begins', '20 signal ends', '20 shutdown begins'],
      '30 shutdown ends',
    ]);
  });

  it('beforeShutdown: new work is still accepted during it', async () => {
    const { shutdown, clock, end } = start();
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    shutdown.hook('beforeShutdown', () => sleep(100, { clock }).then(() => {}), { phase: 'stopping' });
    shutdown.request();
    await clock.advance(50);
    expect([shutdown.stopAccepting.isCancelled, requests.isClosed]).toEqual([false, false]);
    await clock.advance(50);
    expect([shutdown.stopAccepting.isCancelled, requests.isClosed]).toEqual([true, true]);
    await end();
  });

  it('several signals: onSignal runs once', async () => {
    const { shutdown, log, say, end } = start();
    shutdown.hook('onSignal', () => say('signal'));
    expect([shutdown.request('SIGTERM'), shutdown.request('SIGINT')]).toEqual([true, false]);
    await end();
    expect(log).toEqual(['0 signal']);
  });

  it('multiple servers: each is stopped before any is awaited, and each is awaited separately', async () => {
    const { shutdown, clock, end } = start();
    const servers = [job('first'), job('second')];
    for (const { drainable } of servers) shutdown.add(drainable);
    shutdown.request();
    await clock.advance(10);
    expect(servers.map(({ seen }) => seen)).toEqual([
      ['stop', 'drain'],
      ['stop', 'drain'],
    ]);
    for (const { finish } of [...servers].reverse()) {
      await clock.advance(10);
      finish();
    }
    const { drained } = await end();
    expect(drained.map(({ name, durationMs }) => [name, durationMs])).toEqual([
      ...[
        ['guards', 0],
        ['first', 30],
        ['second', 20],
      ],
    ]);
  });

  it('an onSignal that fails: onShutdown runs, where terminus skips it', async () => {
    const { shutdown, log, say, end } = start();
    shutdown.hook('onShutdown', () => say('shutdown'), { phase: 'final' });
    shutdown.hook('onSignal', () => Promise.reject(new Error('db')));
    shutdown.request();
    expect((await end()).exitCode).toBe(1);
    expect(log).toEqual(['0 shutdown']);
  });
});

describe('close-with-grace', () => {
  it('closes abruptly after a delay: this package cancels, then runs the other hooks, and ends with 1', async () => {
    const { shutdown, log, say, end } = start({ timeout: 500, hookTimeout: 10_000 });
    shutdown.hook('other', () => say('other'));
    shutdown.hook('no resolve', deaf);
    shutdown.request();
    expect(await end()).toMatchObject({ exitCode: 1, durationMs: 500 });
    expect(log).toEqual(['500 other']);
  });

  it('without a delay waits without a limit', async () => {
    const never = Number.POSITIVE_INFINITY;
    const { shutdown, log, busy, end } = start({ timeout: never, hookTimeout: never, drainTimeout: never });
    shutdown.hook('slow', busy('slow', 3_600_000));
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
    expect(log.at(-1)).toBe('3600000 slow ends');
  });

  it('passes the cause: the signal, the error, or a call', async () => {
    const { shutdown, end } = start();
    const seen: unknown[] = [];
    shutdown.hook('fn', (_, request) => void seen.push(request));
    shutdown.request();
    await end();
    expect(seen).toEqual([{ kind: 'call' }]);
  });

  it('has a closing state', async () => {
    const { shutdown, end } = start();
    expect(shutdown.state).toBe('running');
    shutdown.request();
    expect(shutdown.state).not.toBe('running');
    await end();
  });

  it.each([
    ['onSecondSignal', { by: 'signal', signal: 'SIGUSR1' }],
    ['onTimeout', { by: 'deadline' }],
  ])('%s: an event is emitted, and a line is logged', async (what, force) => {
    const events: unknown[] = [];
    const lines: string[] = [];
    const listen = (message: unknown): void => {
      if ((message as ShutdownEvent).type === 'forced') events.push(message);
    };
    const logger = (event: LogEvent): unknown => event.level === 'warn' && lines.push(formatLogEvent(event));
    const { shutdown, end } = start({ timeout: 500, logger });
    using _ = shutdown.install({
      ...{ signals: ['SIGUSR1'], errors: false, disconnect: false, reportSignal: false },
      signalDebounce: 0,
    });
    shutdown.hook('no resolve', deaf, { timeout: 10_000 });
    subscribe(shutdownChannel, listen);
    process.emit('SIGUSR1');
    if (what === 'onSecondSignal') process.emit('SIGUSR1');
    await end();
    unsubscribe(shutdownChannel, listen);
    process.exitCode = undefined;
    expect(events).toMatchObject([{ force }]);
    expect(lines[0]).toMatch(/^forced by (SIGUSR1|the deadline): nothing is awaited$/);
  });

  it('installs no listener for events that are not selected', () => {
    const count = (): number => process.listenerCount('SIGINT') + process.listenerCount('uncaughtException');
    const before = count();
    using _ = new Shutdown({ logger: false }).install({ signals: ['SIGTERM'], errors: false });
    expect(count()).toBe(before);
  });

  it('leaves no listener when it is disposed', () => {
    const counts = () => ['SIGTERM', 'SIGINT', 'uncaughtException'].map((name) => process.listenerCount(name));
    const before = counts();
    new Shutdown({ logger: false }).install().dispose();
    expect(counts()).toEqual(before);
  });
});

describe('http-graceful-shutdown', () => {
  it('waits for the request in flight, runs its hooks in order, and accepts nothing afterwards', async () => {
    const { shutdown, clock, log, say, busy, end } = start();
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    void requests.spawn(busy('request', 300));
    shutdown.hook('preShutdown', () => say('pre'), { phase: 'stopping' });
    shutdown.hook('onShutdown', () => say('on'));
    shutdown.hook('finally', () => say('finally'), { phase: 'final' });
    await clock.advance(50);
    shutdown.request();
    await end();
    expect(log).toEqual(['0 request begins', '50 pre', '300 request ends', '300 on', '300 finally']);
    expect(requests.isClosed).toBe(true);
  });

  it('kills hanging work after its timeout: this package cancels it, and names it when it does not end', async () => {
    const { shutdown, end } = start({ drainTimeout: 500, cancelTimeout: 100 });
    const requests = new TaskTracker({ name: 'requests' });
    shutdown.add(requests);
    void requests.spawn(deaf);
    shutdown.request();
    expect(await end()).toMatchObject({
      durationMs: 600,
      unfinished: [{ name: 'requests (1 in flight)' }],
      exitCode: 1,
    });
  });

  it('runs finally when onShutdown fails, and keeps the error in the report, where theirs rejects', async () => {
    const { shutdown, log, say, end } = start();
    const error = new Error('boom');
    shutdown.hook('onShutdown', () => Promise.reject(error));
    shutdown.hook('finally', () => say('finally'), { phase: 'final' });
    shutdown.request();
    const { hooks } = await end();
    expect(hooks.find(({ name }) => name === 'onShutdown')?.error).toBe(error);
    expect(log).toEqual(['0 finally']);
  });

  it('shares one run among concurrent calls', async () => {
    const { shutdown, clock, log, busy } = start();
    shutdown.hook('preShutdown', busy('pre', 100), { phase: 'stopping' });
    const [first, second] = await clock.run(() => {
      shutdown.request();
      const waiting = [shutdown.stopped(), shutdown.stopped()];
      shutdown.request();
      return Promise.all(waiting);
    });
    expect(first).toBe(second);
    expect(log).toEqual(['0 pre begins', '100 pre ends']);
  });

  it.each(['SIGKILL', 'SIGSTOP'])('refuses %s, which cannot be caught', (signal) => {
    expect(thrown(() => new Shutdown().install({ signals: [signal] }))).toBeInstanceOf(TypeError);
  });
});
