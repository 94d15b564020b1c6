// Whether a process ends, and with which code: Node ends one that waits for an unref'd timer in silence, with 13.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';

const path = fileURLToPath(new URL('fixtures/waits-for-deadline.ts', import.meta.url));
vi.setConfig({ testTimeout: 60_000 });

function run(way: string): unknown[] {
  const args = [...process.execArgv, '--import', 'tsx', path, way];
  const { status, signal, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return [status, signal, stdout.trim().split('\n')];
}

describe('a process lives until the deadline that it waits for', () => {
  test.each([
    'await cancelled()',
    'await cancelled() of a descendant',
    'await cancelled() of any',
    'await cancelled() of all',
    'await wait(token)',
    'await untilCancelled',
    'await runUntilCancelled of a promise',
    'await runUntilCancelled of a function',
  ])('%s', (way) => {
    expect(run(way)).toEqual([0, null, ['done']]);
  });
});

// The deadline is a month away: a process that was held would never end.
describe('a process does not wait for a deadline that is only listened to', () => {
  test.each([
    ['a callback', ['done']],
    ['a signal', ['done']],
    ['a callback on any', ['done']],
    ['a follower of a timeout of the platform', ['done']],
    ['a waiter that has left', ['child cancelled', 'done']],
    ['a wait that has ended', ['done']],
    ['a group that was waited for and is cancelled', ['done']],
  ])('%s', (way, output) => {
    expect(run(way)).toEqual([0, null, output]);
  });
});
