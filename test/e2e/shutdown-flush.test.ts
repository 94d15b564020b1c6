// What has been written when a program ends: it is flushed, and nobody who does not read holds the process for ever.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { nodeArgs } from '../programs.ts';

const file = fileURLToPath(new URL('shutdown/flushed.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Waits until stderr has said this so many times. */
  readonly says: (text: string, times?: number) => Promise<void>;
}

/** Starts it, with a stdout that is read only when somebody does, and waits until its shutdown has stopped. */
async function stopped(flushTimeout: number | null | undefined, more: object = {}): Promise<Running> {
  const child = spawn(process.execPath, [...(await nodeArgs(file)), JSON.stringify({ flushTimeout, ...more })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const says = async (text: string, times = 1): Promise<void> => {
    while (stderr.split(text).length <= times) await once(child.stderr ?? child, 'data');
  };
  await says('stopped with 0');
  return { child, stderr: () => stderr, says };
}

it('output that is not read within flushTimeout is reported, and makes the exit code 1', async () => {
  const { child, says } = await stopped(20);
  const exit = once(child, 'exit');
  await says('bytes of output were not read within 20 ms and are lost');
  expect(await exit).toEqual([1, null]);
});

it('a program that ends by itself waits for its reader, until a signal gives it one more second', async () => {
  const { child, says } = await stopped(undefined);
  const exit = once(child, 'exit');
  child.kill('SIGUSR2');
  await says('stopped with 0', 2);
  child.kill('SIGINT');
  await says('bytes of output were not read within 1000 ms and are lost');
  expect(await exit).toEqual([1, null]);
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
  const { child, says } = await stopped(null);
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  child.kill('SIGUSR2');
  // The report, once more: it is alive.
  await says('stopped with 0', 2);
  child.kill('SIGTERM');
  expect(await exit).toEqual([143, null]);
});

it('an error that nobody catches meanwhile is told, and makes the exit code 1', async () => {
  const { child, says } = await stopped(null, { fails: true });
  const close = once(child, 'close');
  await says('\nan exception: SyntaxError');
  child.stdout?.resume();
  expect(await close).toEqual([1, null]);
});
