// Output that is written when a program ends is flushed, and a reader that does not read holds the process only for a limited time.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { nodeArgs } from '../programs.ts';

const file = fileURLToPath(new URL('shutdown/flushed.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Waits until stderr contains the text this many times. */
  readonly says: (text: string, times?: number) => Promise<void>;
}

/** Starts the program, with a stdout that is not read, and waits until its shutdown has stopped. */
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

it('a program that ends without a signal waits for its reader, until a signal limits the wait to one second', async () => {
  const { child, says } = await stopped(undefined);
  const exit = once(child, 'exit');
  child.kill('SIGUSR2');
  await says('stopped with 0', 2);
  child.kill('SIGINT');
  await says('bytes of output were not read within 1000 ms and are lost');
  expect(await exit).toEqual([1, null]);
});

it('a slow reader gets all output when there is no limit', async () => {
  const { child, stderr } = await stopped(null);
  let read = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect([read, stderr().includes('Warning')]).toEqual([1_000_000, false]);
});

it('a reader that closes during the flush is not an error', async () => {
  const { child, stderr } = await stopped(null);
  child.stdout?.destroy();
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(stderr()).not.toContain('EPIPE');
});

it('the first signal during the flush cuts nothing short, the second one does', async () => {
  const { child, says } = await stopped(null);
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  child.kill('SIGUSR2');
  // The report is printed again: the program is alive.
  await says('stopped with 0', 2);
  child.kill('SIGTERM');
  expect(await exit).toEqual([143, null]);
});

it('an uncaught error during the flush is reported, and makes the exit code 1', async () => {
  const { child, says } = await stopped(null, { fails: true });
  const close = once(child, 'close');
  await says('\nan exception: SyntaxError');
  child.stdout?.resume();
  expect(await close).toEqual([1, null]);
});
