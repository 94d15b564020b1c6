// The listeners that an installation adds to the process and removes. Tests of real signals: test/e2e/shutdown.test.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { scope } from '@quiesce/scope';
import { type InstallOptions, Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { start, thrown } from './vocabulary.ts';

const events = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'uncaughtException',
  'unhandledRejection',
  'disconnect',
];
const counts = (): number[] => events.map((event) => process.listenerCount(event));

/** Returns the events that an installation listens to, once for each listener. */
function added(options?: InstallOptions): string[] {
  const before = counts();
  const installation = new Shutdown({ logger: false }).install(options);
  const now = counts();
  installation.dispose();
  installation.dispose();
  expect(counts()).toEqual(before);
  return events.flatMap((event, i) => Array<string>((now[i] ?? 0) - (before[i] ?? 0)).fill(event));
}

describe('an installation', () => {
  it('adds one listener for each event, and removes them once', () => {
    const own = process.connected ? ['disconnect'] : [];
    expect(added()).toEqual(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'uncaughtException', ...own]);
    expect(added({ signals: ['SIGUSR1', 'SIGUSR1'], errors: false, disconnect: false, reportSignal: false })).toEqual([
      'SIGUSR1',
    ]);
    expect(added({ signals: ['SIGUSR2'], errors: false, disconnect: false })).toEqual(['SIGUSR2']);
  });

  it('does not touch the listeners of others', () => {
    const other = (): void => {};
    process.on('SIGTERM', other);
    const before = counts();
    added();
    expect(counts()).toEqual(before);
    process.off('SIGTERM', other);
  });

  it('is disposed when the shutdown has stopped, and at the end of a `using` block', async () => {
    const before = counts();
    const { shutdown, end } = start({ logger: false });
    shutdown.install();
    shutdown.request();
    await end();
    await shutdown.stopped();
    expect(counts()).toEqual(before);
    {
      using _ = new Shutdown({ logger: false }).install();
      expect(counts()).not.toEqual(before);
    }
    expect(counts()).toEqual(before);
  });

  it('makes work of any scope that ends because of stopAccepting end normally, until it is disposed', async () => {
    const { shutdown, end } = start({ logger: false });
    const { stopAccepting } = shutdown;
    const installation = shutdown.install();
    const wait = (): Promise<void> => delay(1e6, undefined, { signal: stopAccepting.signal });
    const waiting = scope((s) => void s.spawn(wait));
    shutdown.request('deploy');
    expect((await end()).exitCode).toBe(0);
    await waiting;
    installation.dispose();
    await delay(0);
    await expect(scope((s) => void s.spawn(wait))).rejects.toThrow('aborted');
  });

  it('refuses a name that is not a signal or cannot be caught, and adds nothing then', () => {
    const before = counts();
    for (const signal of ['SIGTREM', 'SIGKILL', 'SIGSTOP', 'exit', 15 as never]) {
      expect(thrown(() => new Shutdown().install({ signals: ['SIGTERM', signal] }))).toBeInstanceOf(TypeError);
      expect(thrown(() => new Shutdown().install({ reportSignal: signal }))).toBeInstanceOf(TypeError);
    }
    expect(counts()).toEqual(before);
  });

  it('is refused a second time until the first is disposed: each signal would count twice', () => {
    const shutdown = new Shutdown({ logger: false });
    const first = shutdown.install();
    expect(thrown(() => shutdown.install())).toBeInstanceOf(TypeError);
    first.dispose();
    shutdown.install().dispose();
  });

  it('that was disposed before the end does not set the exit code', async () => {
    const { shutdown, end } = start({ logger: false });
    shutdown.install().dispose();
    shutdown.hook('fails', () => Promise.reject(new Error('disk full')));
    shutdown.request();
    expect((await end()).exitCode).toBe(1);
    expect(process.exitCode).toBeUndefined();
  });

  it('can be made and disposed repeatedly: the last one counts', async () => {
    const before = counts();
    const { shutdown, end } = start({ logger: false });
    for (let i = 0; i < 20; i++) shutdown.install().dispose();
    expect(counts()).toEqual(before);
    const last = shutdown.install();
    shutdown.hook('fails', () => Promise.reject(new Error('disk full')));
    shutdown.request();
    await end();
    expect([last.isInstalled, counts(), process.exitCode]).toEqual([false, before, 1]);
    process.exitCode = undefined;
  });

  it('of several shutdowns requests each of them, and is disposed with each', async () => {
    const before = counts();
    const [one, other] = [start({ logger: false }), start({ logger: false })];
    for (const { shutdown } of [one, other]) {
      shutdown.install({ signals: ['SIGUSR1'], errors: false, disconnect: false, reportSignal: false });
    }
    const guard = other.shutdown.guard('work');
    process.emit('SIGUSR1');
    expect([one.shutdown.state, other.shutdown.state]).toEqual(['stopping', 'stopping']);
    await one.end();
    expect(process.listenerCount('SIGUSR1')).toBe(1);
    guard.dispose();
    await other.end();
    expect(counts()).toEqual(before);
  });

  it('of a shutdown that has stopped is refused', async () => {
    const { shutdown, end } = start();
    shutdown.request();
    await end();
    expect(thrown(() => shutdown.install())).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('requests the shutdown at the first signal, and does not force when that signal follows a call', async () => {
    const { shutdown, clock, end } = start({ logger: false });
    const guard = shutdown.guard('work');
    shutdown.install({ signals: ['SIGUSR1'], errors: false, reportSignal: false });
    shutdown.request('deploy');
    await clock.advance(10);
    process.emit('SIGUSR1');
    expect(shutdown.report().force).toBeUndefined();
    await clock.advance(500);
    process.emit('SIGUSR1');
    expect(shutdown.report().force).toEqual({ by: 'signal', signal: 'SIGUSR1' });
    guard.dispose();
    expect((await end()).exitCode).toBe(138);
    expect(process.exitCode).toBe(138);
    process.exitCode = undefined;
  });
});
