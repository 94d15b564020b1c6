// The token's signal with child processes. Each is a Node process that reports its start and then waits forever.
import { type ChildProcess, exec, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import { afterEach, expect, test } from 'vitest';

const forEver = 'process.stdout.write("ready"); setInterval(() => {}, 1 << 30)';
const started: ChildProcess[] = [];

function start(signal: AbortSignal, killSignal?: NodeJS.Signals): ChildProcess {
  const child = spawn(process.execPath, ['-e', forEver], { signal, killSignal, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  return child;
}

afterEach(() => {
  // The children that a failed test has left.
  for (const child of started.splice(0))
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
});

test('spawn: the process is ended, and the error has the reason as its cause', async () => {
  const root = new CancellationToken();
  using token = root.childToken();
  const child = start(token.signal);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  const failed = once(child, 'error');
  const gone = new Promise((resolve) => child.once('exit', (...how) => resolve(how)));
  root.cancel('enough');
  const [error] = await failed;
  expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' });
  expect(isCancellationOf(error, token)).toBe(true);
  expect(await gone).toEqual([null, 'SIGTERM']);
});

test('spawn: the process is ended with `killSignal`', async () => {
  const token = new CancellationToken();
  const child = start(token.signal, 'SIGKILL');
  child.on('error', () => {});
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  token.cancel();
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
});

test('spawn: the process is ended as soon as it starts when a token above is already cancelled', async () => {
  const child = start(CancellationToken.alreadyCancelled('before').signal);
  const gone = once(child, 'exit').catch(() => {});
  const [error] = await once(child, 'error');
  expect(error).toMatchObject({ name: 'AbortError', cause: 'before' });
  await gone;
});

test('spawn: a process that has ended is left alone', async () => {
  const token = new CancellationToken();
  const child = spawn(process.execPath, ['-e', ''], { signal: token.signal });
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(token.cancel()).toBe(true);
});

test('fork: the process is ended', async () => {
  const token = new CancellationToken();
  const child = fork('-', [], {
    signal: token.signal,
    execArgv: ['-e', forEver],
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
  });
  started.push(child);
  child.on('error', () => {});
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  token.cancel();
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
});

test.each([
  // The shell becomes the process, or only the shell would be ended.
  ['exec', (signal: AbortSignal) => promisify(exec)(`exec "${process.execPath}" -e '${forEver}'`, { signal })],
  ['execFile', (signal: AbortSignal) => promisify(execFile)(process.execPath, ['-e', forEver], { signal })],
] as const)('%s: the promise is rejected and the process ended', async (_, run) => {
  const token = new CancellationToken();
  const running = run(token.signal);
  started.push(running.child);
  const gone = once(running.child, 'exit').catch(() => undefined);
  await once(running.child.stdout as NodeJS.ReadableStream, 'data');
  token.cancel('enough');
  await expect(running).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
  await gone;
  expect(running.child.killed).toBe(true);
});
