// One Ctrl-C can arrive as two signals, and a framework may send a signal again after its own cleanup.
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { formatLogEvent, type InstallOptions, Shutdown } from '@quiesce/shutdown';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { deaf, start } from './vocabulary.ts';

const quiet: InstallOptions = { signals: ['SIGUSR1', 'SIGHUP'], errors: false, disconnect: false, reportSignal: false };

afterEach(() => {
  process.exitCode = undefined;
});

/** Returns a shutdown that waits for work that never ends, and the lines of its log. */
function draining(options: InstallOptions = {}) {
  const lines: string[] = [];
  const started = start({
    logger: (event) => event.level !== 'info' && lines.push(formatLogEvent(event)),
    drainTimeout: 1e6,
    timeout: 1e7,
    forceTimeout: 1e6,
  });
  const installation = started.shutdown.install({ ...quiet, ...options });
  onTestFinished(() => installation.dispose());
  started.shutdown.hook('never ends', deaf, { timeout: 1e6 });
  started.shutdown.add({ name: 'work', inFlightCount: 1, stop: () => {}, drain: deaf });
  return { ...started, lines, isForced: (): boolean => started.shutdown.report().force !== undefined };
}

describe('the same signal again', () => {
  it.each([0, 1, 20, 230, 499])('after %d ms is the same request', async (ms) => {
    const { clock, lines, isForced } = draining();
    process.emit('SIGUSR1');
    await clock.advance(ms);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(false);
    expect(lines).toEqual([
      'ignored SIGUSR1, which came twice within 500 ms. To force the shutdown, send SIGUSR1 again after that',
    ]);
  });

  it('after `signalDebounce` forces, and may be doubled like the first', async () => {
    const { clock, lines, isForced } = draining();
    for (const forced of [false, true]) {
      process.emit('SIGUSR1');
      await clock.advance(20);
      process.emit('SIGUSR1');
      expect(isForced()).toBe(forced);
      await clock.advance(480);
    }
    expect(lines.filter((line) => line.startsWith('ignored'))).toHaveLength(2);
  });

  it('is not ignored longer when it is repeated', async () => {
    const { clock, isForced } = draining();
    for (let ms = 0; ms < 500; ms += 100) {
      process.emit('SIGUSR1');
      await clock.advance(100);
    }
    expect(isForced()).toBe(false);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(true);
  });

  it.each([
    [0, 0, true],
    [50, 49, false],
    [50, 50, true],
    [Number.POSITIVE_INFINITY, 9_999, false],
  ])('with a `signalDebounce` of %d, after %d ms, forces: %s', async (signalDebounce, ms, forced) => {
    const { clock, isForced } = draining({ signalDebounce });
    process.emit('SIGUSR1');
    await clock.advance(ms);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(forced);
  });

  it('forces at once when it is another signal', () => {
    const { isForced } = draining();
    process.emit('SIGUSR1');
    process.emit('SIGHUP');
    expect(isForced()).toBe(true);
  });

  it('with a `signalDebounce` of Infinity never forces, and the log says how to force', async () => {
    const { clock, lines, isForced } = draining({ signalDebounce: Number.POSITIVE_INFINITY });
    process.emit('SIGUSR1');
    await clock.advance(1e5);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(false);
    expect(lines).toEqual(['ignored SIGUSR1, which came again. To force the shutdown, send another signal']);
    process.emit('SIGHUP');
    expect(isForced()).toBe(true);
  });

  it('is the same request also when the event loop was blocked for longer than `signalDebounce`', async () => {
    const shutdown = new Shutdown({ systemd: false });
    const installation = shutdown.install({ ...quiet, signalDebounce: 20 });
    shutdown.hook('never ends', deaf);
    process.emit('SIGUSR1');
    const blocked = performance.now();
    while (performance.now() - blocked < 40);
    process.emit('SIGUSR1');
    expect(shutdown.report().force).toBe(undefined);
    shutdown.force();
    await shutdown.stopped();
    installation.dispose();
  });

  it.each([-1, Number.NaN, '500' as never])('with a `signalDebounce` of %s is refused', (signalDebounce) => {
    const before = process.listenerCount('SIGUSR1');
    expect(() => new Shutdown().install({ ...quiet, signalDebounce })).toThrow('install: signalDebounce');
    expect(process.listenerCount('SIGUSR1')).toBe(before);
  });
});

describe('a signal that the process sends to itself', () => {
  /** Waits until the listener is called: the signal has arrived. */
  const arrived = (signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => process.once(signal, () => resolve()));

  it('requests the shutdown when it is the first request', async () => {
    const { shutdown } = draining();
    const seen = arrived('SIGUSR1');
    process.kill(process.pid, 'SIGUSR1');
    await seen;
    expect(shutdown.report().request).toMatchObject({ kind: 'signal', signal: 'SIGUSR1' });
  });

  it.each<[string, () => void]>([
    ['by name', () => process.kill(process.pid, 'SIGUSR1')],
    ['by number', () => process.kill(process.pid, constants.signals.SIGUSR1)],
    ['with `kill` detached from `process`', () => Reflect.apply(process.kill, undefined, [process.pid, 'SIGUSR1'])],
    ['twice in one turn', () => void [1, 2].map(() => process.kill(process.pid, 'SIGUSR1'))],
  ])('never forces, however late it arrives: %s', async (_, send) => {
    const { clock, lines, isForced } = draining();
    process.emit('SIGUSR1');
    await clock.advance(60_000);
    const seen = arrived('SIGUSR1');
    send();
    await seen;
    await delay(5);
    expect(isForced()).toBe(false);
    expect([...new Set(lines)]).toEqual([
      'ignored SIGUSR1, which this process sent to itself. To force the shutdown, send SIGUSR1 again from outside',
    ]);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(true);
  });

  it('never forces when the count of an earlier signal ends before it arrives', async () => {
    const { clock, isForced } = draining();
    process.emit('SIGUSR1');
    await clock.advance(60_000);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    // The next signal is sent in the third turn of the event loop, before that turn discards the earlier count.
    let turned = turn();
    for (let i = 0; i < 3; i++) {
      process.kill(process.pid, 'SIGUSR1');
      await turned;
      await turn();
      turned = turn();
      await turned;
      turned = turn();
    }
    await delay(5);
    expect(isForced()).toBe(false);
  });

  it('leaves the original `process.kill` when the last shutdown is disposed', () => {
    const { kill } = process;
    const first = new Shutdown({ logger: false }).install(quiet);
    const second = new Shutdown({ logger: false }).install(quiet);
    first.dispose();
    expect(process.kill).not.toBe(kill);
    second.dispose();
    expect(process.kill).toBe(kill);
  });

  it('is detected also when another library has wrapped `process.kill`, before or afterwards', async () => {
    const { kill } = process;
    onTestFinished(() => void Object.assign(process, { kill }));
    const wrap = (): void => {
      const inner = process.kill;
      process.kill = (pid, signal) => inner.call(process, pid, signal);
    };
    for (const isBefore of [true, false]) {
      if (isBefore) wrap();
      const { isForced } = draining();
      if (!isBefore) wrap();
      process.emit('SIGUSR1');
      const seen = arrived('SIGUSR1');
      process.kill(process.pid, 'SIGUSR1');
      await seen;
      expect(isForced()).toBe(false);
    }
  });

  it('that goes to another process has no effect here', async () => {
    const { isForced } = draining({ signalDebounce: 0 });
    process.emit('SIGUSR1');
    // Signal 0 only checks that the process exists.
    process.kill(process.pid, 0);
    expect(() => process.kill(2 ** 30, 'SIGUSR1')).toThrow('ESRCH');
    await delay(0);
    process.emit('SIGUSR1');
    expect(isForced()).toBe(true);
  });
});
