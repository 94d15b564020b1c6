// Forgotten guards, and memory: a long-lived shutdown retains nothing of work that has ended.

import { TaskTracker } from '@quiesce/scope';
import { Shutdown } from '@quiesce/shutdown';
import { expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage } from '../../../test/leak/leak.ts';

/** Forgets a guard. The report must name this place. */
function leaveBehind(shutdown: Shutdown): void {
  shutdown.guard('lease of db');
}

test('a guard that is collected undisposed is named, with its place, and no longer awaited', async () => {
  const shutdown = new Shutdown({ leakDetection: true, drainTimeout: 60_000 });
  leaveBehind(shutdown);
  shutdown.guard('kept').dispose();
  expect(shutdown.progress.inFlightCount).toBe(1);
  for (let i = 0; i < 5 && shutdown.progress.inFlightCount > 0; i++) await collectGarbage();
  expect(shutdown.progress.inFlightCount).toBe(0);
  shutdown.request();
  const { leaks, exitCode } = await shutdown.stopped();
  expect(leaks).toEqual([
    { name: 'lease of db', site: expect.stringMatching(/^leaveBehind .*guard\.leak\.\w+:\d+:\d+/) },
  ]);
  expect(exitCode).toBe(0);
});

test('forgotten guards of trackers are named in the report too, and request nothing', async () => {
  const shutdown = new Shutdown({ leakDetection: true, logger: false });
  const installation = shutdown.install({ signals: [], reportSignal: false, disconnect: false });
  const tracker = new TaskTracker({ name: 'requests', leakDetection: true });
  // The listener of the test runner would report a failure.
  const others = process.listeners('uncaughtException').slice(0, -1);
  for (const listener of others) process.off('uncaughtException', listener);
  (() => void tracker.guard())();
  for (let i = 0; i < 5 && shutdown.report().leaks.length === 0; i++) await collectGarbage();
  for (const listener of others) process.on('uncaughtException', listener);
  installation.dispose();
  expect(shutdown.state).toBe('running');
  expect(shutdown.report().leaks).toEqual([
    { name: 'A guard of tracker "requests"', site: expect.stringContaining('guard.leak.') },
  ]);
});

test.each([false, true])(
  'a long-lived shutdown retains nothing of guards, hooks, drainables and installations (detection: %s)',
  async (leakDetection) => {
    const shutdown = new Shutdown({ leakDetection });
    const growth = await bytesPerTurn({ turns: 10_000 }, () => {
      shutdown.guard('request').dispose();
      shutdown.hook('temporary', () => {}).dispose();
      shutdown.add(new TaskTracker()).dispose();
      shutdown.watch().dispose();
      shutdown.install({ signals: [], errors: false, disconnect: false, reportSignal: false }).dispose();
    });
    expect(growth).toBeLessThan(1);
  },
);

test('a long-lived token retains no shutdown that has stopped', async () => {
  const { signal } = new AbortController();
  const growth = await bytesPerTurn({ turns: 4_000, below: 16 }, async () => {
    const shutdown = new Shutdown({ signal });
    shutdown.request();
    await shutdown.stopped();
  });
  expect(growth).toBeLessThan(16);
});
