// The last line of the log is written before `runMain` ends the process, also by loggers that write asynchronously.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';

const program = fileURLToPath(new URL('fixtures/logged.ts', import.meta.url));

/** Runs the program to its end. */
async function run(kind: string): Promise<{ code: unknown; stderr: string; events: unknown[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-log-'));
  const file = join(folder, 'log');
  const args = [...(await nodeArgs(program)), kind, file, fileURLToPath(import.meta.url)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const [code] = await once(child, 'close');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  rmSync(folder, { recursive: true });
  const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line).event);
  // How often progress is logged depends on the speed of the machine.
  return { code, stderr, events: events.filter((event) => event !== 'progress') };
}

describe('before the process exits, `runMain` waits until everything is written by', () => {
  it.concurrent.each([
    'pino, buffered',
    'pino, with a transport',
    'pino, with a stream of Node',
    'a child of pino, with a stream of Node',
    'bunyan',
    'bunyan, with a rotating file',
    'winston',
    'a child of winston',
    'a function that returns promises',
  ])('%s', async (kind) => {
    expect(await run(kind)).toEqual({ code: 0, stderr: '', events: ['requested', 'report'] });
  });
});

it('a logger that does not end its writing within a second makes the exit code 1, and is reported', async () => {
  const stderr = 'runMain: the logger has not written everything within 1000 ms\n';
  expect(await run('a function whose promise never settles')).toEqual({ code: 1, stderr, events: [] });
});
