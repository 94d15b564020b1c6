import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { guardChild, parentToken, WorkerEndedError } from '@quiesce/worker-pool/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fixture, rejection } from './vocabulary.ts';

const file = fixture('child');

/** Starts a child process and waits for its first message. */
async function start(how: string): Promise<ChildProcess> {
  const child = fork(file, [how], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit').then(([code]) => [`exited with ${code}`]);
  const [first] = await Promise.race([once(child, 'message'), exited]);
  expect(first).toBe('there');
  return child;
}

describe('a child process', { timeout: 60_000 }, () => {
  it('receives the cancellation and its reason, cleans up, and exits with its own code', async () => {
    const child = await start('obeys');
    const token = new CancellationToken();
    const exit = guardChild(child, { signal: token });
    const said = once(child, 'message');
    token.cancel('deploy');
    expect((await said)[0]).toBe('reason: deploy');
    expect(await exit).toEqual({ code: 7, signal: null });
  });

  it('is killed when it does not exit within `cleanupTimeout`, and the error names it', async () => {
    const child = await start('ignores');
    const clock = new VirtualClock();
    const token = new CancellationToken();
    const exit = rejection(guardChild(child, { signal: token, cleanupTimeout: 300, clock }));
    token.cancel('deploy');
    await clock.advance(299);
    expect(child.killed).toBe(false);
    await clock.advance(1);
    const error = await exit;
    expect(error).toBeInstanceOf(WorkerEndedError);
    expect(error).toMatchObject({ cleanupTimeout: 300, cause: 'deploy' });
    expect(child.signalCode).toBe('SIGKILL');
  });

  it.each([
    ['an error', new RangeError('deploy'), { text: 'RangeError: deploy', message: 'deploy', isError: true }],
    [
      'an error class of this package',
      new TimeoutError(50),
      { name: 'TimeoutError', code: 'ERR_TIMEOUT', isError: true },
    ],
    ['an AbortError', AbortSignal.abort().reason, { name: 'AbortError', isError: true }],
    ['a value that JSON cannot represent', 10n, { text: 'Error: 10' }],
    ['a function', () => 'deploy', { message: expect.stringContaining('deploy'), isError: true }],
  ])('receives the reason: %s', async (_, reason, expected) => {
    const child = await start('tells');
    const said = once(child, 'message');
    const exit = guardChild(child, { signal: CancellationToken.alreadyCancelled(reason) });
    expect((await said)[0]).toMatchObject(expected);
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(['exit', 'error'].map((event) => child.listenerCount(event))).toEqual([0, 0]);
  });

  it('is still held by its own message listeners', async () => {
    const child = await start('messages');
    const exit = guardChild(child, { signal: CancellationToken.never });
    const said = once(child, 'message');
    child.send('how are you');
    expect((await said)[0]).toBe('received how are you');
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  it('has its token cancelled when the parent exits', async () => {
    const child = await start('orphan');
    const exit = guardChild(child, { signal: CancellationToken.never });
    child.disconnect();
    expect(await exit).toEqual({ code: 7, signal: null });
  });

  it('is not held by its token', async () => {
    const child = await start('idle');
    expect(await guardChild(child, { signal: CancellationToken.never })).toEqual({ code: 0, signal: null });
  });

  it('is not awaited when it has already exited', async () => {
    const child = await start('idle');
    await once(child, 'exit');
    const token = new CancellationToken();
    expect(await guardChild(child, { signal: token })).toEqual({ code: 0, signal: null });
    token.cancel();
  });

  it('rejects with the spawn error when it cannot be started', async () => {
    const child = fork('/', { execPath: '/does/not/exist', silent: true } as object);
    expect(await rejection(guardChild(child, { signal: CancellationToken.never }))).toMatchObject({ code: 'ENOENT' });
  });
});

describe('parentToken', () => {
  it('throws in a process without an IPC channel to a parent', () => {
    const { send } = process;
    onTestFinished(() => void Object.assign(process, { send }));
    Object.assign(process, { send: undefined });
    expect(() => parentToken()).toThrow('no channel to a parent');
  });
});
