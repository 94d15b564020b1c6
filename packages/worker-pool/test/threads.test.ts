import { CancellationToken, CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { receiveToken, runInPool, shareToken, WorkerEndedError } from '@quiesce/worker-pool/node';
import { Piscina } from 'piscina';
import { afterAll, describe, expect, it } from 'vitest';
import { fixture, macrotask, rejection } from './vocabulary.ts';

/** Its thread starts with the first task and stays. No thread starts on a runtime where these tests cannot run. */
const pool = new Piscina({
  filename: fixture('tasks'),
  minThreads: 0,
  maxThreads: 1,
  idleTimeout: 600_000,
});
afterAll(() => pool.destroy());

/** Shared with a task: whether it has started, its rounds so far, and a third number for the task. */
const newSeen = (): Int32Array => new Int32Array(new SharedArrayBuffer(12));

/** Waits until the task runs. Only the shared memory shows that. */
async function running(seen: Int32Array): Promise<void> {
  while (Atomics.load(seen, 0) === 0) await macrotask();
}

describe('work in a thread', { timeout: 60_000 }, () => {
  it('returns its result, and rejects with its error', async () => {
    expect(await runInPool(pool, 21, { name: 'double' })).toBe(42);
    expect(await runInPool(pool, 4, { name: 'double', signal: new CancellationToken() })).toBe(8);
    expect(await rejection(runInPool(pool, -1, { name: 'double' }))).toMatchObject({ message: 'negative' });
  });

  it('sees the cancellation and its reason in a loop that never yields', async () => {
    const seen = newSeen();
    const token = new CancellationToken();
    const result = runInPool(pool, seen, { name: 'compute', signal: token });
    await running(seen);
    token.cancel('enough');
    expect(await result).toBe('stopped: enough');
  });

  it('runs its callbacks at its next read of the token, is awaited while it cleans up, and rejects with the original reason', async () => {
    const seen = newSeen();
    const token = new CancellationToken();
    const result = rejection(runInPool(pool, seen, { name: 'cleanUp', signal: token }));
    await running(seen);
    token.cancel();
    expect(await result).toBe(token.reason);
    expect(Atomics.load(seen, 2)).toBe(1);
  });

  it('is woken by an event when it waits for events', async () => {
    const seen = newSeen();
    const controller = new AbortController();
    const result = rejection(runInPool(pool, seen, { name: 'listen', signal: controller.signal }));
    await running(seen);
    controller.abort(new Error('deploy'));
    expect(await result).toMatchObject({ message: 'gave up', cause: { message: 'deploy' } });
  });

  it('is terminated with its thread after `cleanupTimeout` when it never stops, and the pool continues with a new thread', async () => {
    const clock = new VirtualClock();
    const seen = newSeen();
    const token = new CancellationToken();
    const result = rejection(runInPool(pool, seen, { name: 'neverStops', signal: token, cleanupTimeout: 500, clock }));
    await running(seen);
    token.cancel('enough');
    await clock.advance(499);
    const before = Atomics.load(seen, 1);
    while (Atomics.load(seen, 1) === before) await macrotask();
    await clock.advance(1);
    const error = await result;
    expect(error).toBeInstanceOf(WorkerEndedError);
    expect(error).toMatchObject({ code: 'ERR_WORKER_ENDED', cleanupTimeout: 500, cause: 'enough' });
    expect(String(error)).toContain('did not stop within 500 ms');
    expect(await runInPool(pool, 1, { name: 'double' })).toBe(2);
    expect(clock.pendingCount).toBe(0);
  });

  it.each([
    ['an object', { code: 7 }],
    ['an error that cannot be cloned', new Error('deploy', { cause: () => {} })],
    ['a function', () => 'deploy'],
  ])('rejects with the original reason when it stops, although the thread got a copy: %s', async (_, reason) => {
    const seen = newSeen();
    const token = new CancellationToken();
    const result = runInPool(pool, seen, { name: 'obey', signal: token }).catch((error) => ({ error }));
    await running(seen);
    token.cancel(reason);
    expect(((await result) as { error: unknown }).error).toBe(reason);
  });

  it('keeps its thread and its result when it ends as `cleanupTimeout` expires', async () => {
    const clock = new VirtualClock();
    const seen = newSeen();
    const token = new CancellationToken();
    const result = runInPool(pool, seen, { name: 'late', signal: token, cleanupTimeout: 500, clock });
    await running(seen);
    token.cancel('enough');
    while (Atomics.load(seen, 2) === 0) await macrotask();
    await clock.advance(500);
    Atomics.store(seen, 2, 2);
    Atomics.notify(seen, 2);
    expect(await result).toBe('late');
  });

  it('rejects with the error of piscina when its thread dies, cancelled or not', async () => {
    const seen = newSeen();
    const error = await rejection(runInPool(pool, seen, { name: 'die', signal: new CancellationToken() }));
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(WorkerEndedError);
    expect(Atomics.load(seen, 0)).toBe(1);
    expect(await runInPool(pool, 1, { name: 'double' })).toBe(2);
  });

  it('rejects when its piscina is destroyed, and leaves no timer', async () => {
    const own = new Piscina({ filename: fixture('tasks'), minThreads: 0, maxThreads: 1 });
    const clock = new VirtualClock();
    const seen = newSeen();
    const token = new CancellationToken();
    const result = rejection(runInPool(own, seen, { name: 'neverStops', signal: token, cleanupTimeout: 500, clock }));
    await running(seen);
    token.cancel('enough');
    expect(clock.pendingCount).toBe(1);
    await own.destroy();
    expect(await result).not.toBeInstanceOf(WorkerEndedError);
    expect(clock.pendingCount).toBe(0);
  });

  it('rejects with the clone error when it cannot be sent, and leaves nothing on its token', async () => {
    const token = new CancellationToken();
    expect(await rejection(runInPool(pool, () => {}, { name: 'double', signal: token }))).toMatchObject({
      name: 'DataCloneError',
    });
    expect((token as unknown as { head: unknown }).head).toBe(undefined);
  });

  it('never starts when it is cancelled while it waits for a thread, and no other thread is terminated', async () => {
    const [first, second] = [newSeen(), newSeen()];
    const [stop, token] = [new CancellationToken(), new CancellationToken()];
    const busy = runInPool(pool, first, { name: 'compute', signal: stop });
    await running(first);
    const waiting = rejection(runInPool(pool, second, { name: 'compute', signal: token }));
    token.cancel('left');
    expect(await waiting).toBe('left');
    stop.cancel('done');
    expect(await busy).toBe('stopped: done');
    expect(Atomics.load(second, 0)).toBe(0);
  });

  it('is not sent when its token is already cancelled', async () => {
    const token = CancellationToken.alreadyCancelled('never');
    expect(await rejection(runInPool(pool, 1, { name: 'double', signal: token }))).toBe('never');
    expect(await rejection(runInPool(pool, 1, { name: 'double', cleanupTimeout: -1 }))).toBeInstanceOf(RangeError);
  });

  it('leaves nothing on a long-lived token', async () => {
    const token = new CancellationToken();
    for (let n = 0; n < 20; n++) expect(await runInPool(pool, n, { name: 'double', signal: token })).toBe(2 * n);
    // An observed token has an entry in its list.
    expect((token as unknown as { head: unknown }).head).toBe(undefined);
  });
});

describe('a shared token', () => {
  it('is cancelled at the first read, before any event', () => {
    const near = new CancellationToken({ name: 'job' });
    const link = shareToken(near);
    const far = receiveToken(link.shared);
    expect([far.isCancelled, far.name]).toEqual([false, 'job']);
    near.cancel('enough');
    expect([far.isCancelled, far.reason]).toEqual([true, 'enough']);
    link.dispose();
  });

  it('notifies listeners through an event, once', async () => {
    const near = new CancellationToken();
    const link = shareToken(near);
    const far = receiveToken(link.shared);
    const calls: unknown[] = [];
    far.onCancelled((reason) => calls.push(reason));
    near.cancel('enough');
    await far.cancelled();
    expect(far.signal.aborted).toBe(true);
    expect(calls).toEqual(['enough']);
    link.dispose();
  });

  it.each([
    [
      'a CancelledError',
      new CancelledError('mine', { source: 'shutdown' }),
      { name: 'AbortError', source: 'shutdown', message: 'mine' },
    ],
    ['a deadline', new TimeoutError(50), { name: 'TimeoutError', ms: 50 }],
    ['an error', new RangeError('far'), { message: 'far' }],
    ['an object', { code: 7 }, { code: 7 }],
  ])('keeps its reason: %s', (_, reason, expected) => {
    const near = new CancellationToken();
    const far = receiveToken(shareToken(near).shared);
    near.cancel(reason);
    expect(far.reason).toMatchObject(expected);
  });

  it('sends the text of a reason that cannot be cloned, and is still cancelled', () => {
    const near = new CancellationToken();
    const far = receiveToken(shareToken(near).shared);
    near.cancel(() => 'a function');
    expect(far.isCancelled).toBe(true);
    expect(String(far.reason)).toContain('a function');
  });

  it('is cancelled from the start when the near token was', () => {
    const far = receiveToken(shareToken(CancellationToken.alreadyCancelled('early')).shared);
    expect([far.isCancelled, far.reason]).toEqual([true, 'early']);
  });

  it('is never cancelled after its link is disposed', async () => {
    const near = new CancellationToken();
    const link = shareToken(near);
    const far = receiveToken(link.shared);
    link.dispose();
    link.dispose();
    near.cancel('late');
    await macrotask();
    expect(far.isCancelled).toBe(false);
  });

  it('throws a TypeError for a wrong argument', () => {
    expect(() => receiveToken({} as never)).toThrow('expected the `shared` of shareToken(token), got');
    expect(() => receiveToken(undefined as never)).toThrow(TypeError);
    expect(() => shareToken(5 as never)).toThrow('expected an AbortSignal');
  });
});
