// What has been written when a program ends: it is flushed, and nobody who does not read holds the process for ever.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const file = fileURLToPath(new URL('shutdown/flushed.ts', import.meta.url));

/** Starts it, with a stdout that is read only when somebody does, and waits until its shutdown has stopped. */
async function stopped(
  flushTimeout: number | null,
  more: object = {},
): Promise<{ child: ChildProcess; stderr: () => string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify({ flushTimeout, ...more })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
      if (stderr.includes('stopped with 0')) resolve();
    });
  });
  return { child, stderr: () => stderr };
}

it('a reader that does not read is waited for no longer than flushTimeout', async () => {
  const { child } = await stopped(20);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('a slow reader gets all of it where there is no limit', async () => {
  const { child, stderr } = await stopped(null);
  let read = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect([read, stderr().includes('Warning')]).toEqual([1_000_000, false]);
});

it('a reader that goes meanwhile is no error', async () => {
  const { child, stderr } = await stopped(null);
  child.stdout?.destroy();
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(stderr()).not.toContain('EPIPE');
});

it('the first signal that comes meanwhile cuts nothing short, the second one does', async () => {
  const { child, stderr } = await stopped(null);
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  child.kill('SIGUSR2');
  // The report, once more: it is alive.
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', () => {
      if (stderr().split('stopped with 0').length > 2) resolve();
    });
  });
  child.kill('SIGTERM');
  expect(await exit).toEqual([143, null]);
});

it('an error that nobody catches meanwhile is told, and makes the exit code 1', async () => {
  const { child, stderr } = await stopped(null, { fails: true });
  child.stderr?.on('data', () => {
    if (stderr().includes('an exception')) child.stdout?.resume();
  });
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(stderr()).toMatch(/\nan exception: SyntaxError/);
});
