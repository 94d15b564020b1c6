// Whether a process ends, and with which code: Node silently ends one that waits for an unref'd timer, with code 13.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';

const path = fileURLToPath(new URL('fixtures/waits-for-deadline.ts', import.meta.url));

async function run(way: string): Promise<unknown[]> {
  const { status, signal, stdout } = spawnSync(process.execPath, [...(await nodeArgs(path)), way], {
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
  ])('%s', async (way) => {
    expect(await run(way)).toEqual([0, null, ['done']]);
  });
});

// The deadline is a month away: a process that is kept alive would never end.
describe('a process does not wait for a deadline that only has callbacks', () => {
  test.each([
    ['a callback', ['done']],
    ['a signal', ['done']],
    ['a callback on any', ['done']],
    ['a follower of a timeout of the platform', ['done']],
    ['a waiter that has left', ['child cancelled', 'done']],
    ['a wait that has ended', ['done']],
    ['a cancelled group that had a waiter', ['done']],
  ])('%s', async (way, output) => {
    expect(await run(way)).toEqual([0, null, output]);
  });
});
