// Whether a process ends: Node ends one that waits for an unref'd timer in silence, with 13, or with 0 and nothing said.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';

const path = fileURLToPath(new URL('fixtures/waits-for-scope.ts', import.meta.url));

describe('a process lives until the timeout of the scope that it awaits', () => {
  test.each([
    ['a body', 'TimeoutError'],
    ['a body that listens to the signal', 'TimeoutError'],
    // The body has fulfilled before: its value stands.
    ['a task', 'fulfilled'],
    ['a task of a scope below', 'TimeoutError'],
    ['a shield', 'TimeoutError'],
  ])('%s', async (way, end) => {
    const { status, signal, stdout } = spawnSync(process.execPath, [...(await nodeArgs(path)), way], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect([status, signal, stdout.trim()]).toEqual([0, null, end]);
  });
});
