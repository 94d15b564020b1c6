// Whether a process ends: Node ends a process that waits for an unref'd timer silently, with code 13, or with code 0.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';

const path = fileURLToPath(new URL('fixtures/waits-for-scope.ts', import.meta.url));

describe('a process lives until the timeout of the scope that it awaits', () => {
  test.each([
    ['a body', 'TimeoutError'],
    ['a body that listens to the signal', 'TimeoutError'],
    // The body has fulfilled before, so its value stays.
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

describe('a process that ends because nothing is left to run', () => {
  const itself = fileURLToPath(new URL('fixtures/waits-for-itself.ts', import.meta.url));

  test.each([
    ['join in a task', 'join: scope "import" can never end, since nothing is left to run. It waits for task "last".'],
    [
      'close in a cleanup',
      'close: scope "import" can never end, since nothing is left to run. It waits for cleanup "the last one".',
    ],
    [
      'a promise that nothing settles',
      'join: scope "import" can never end, since nothing is left to run. It waits for 2 tasks.',
    ],
    ['nothing', ''],
  ])('reports which scope can never end: %s', async (way, text) => {
    const { stderr } = spawnSync(process.execPath, [...(await nodeArgs(itself)), way], { encoding: 'utf8' });
    if (text === '') expect(stderr).toBe('');
    else expect(stderr.split(text)).toHaveLength(2);
  });
});
