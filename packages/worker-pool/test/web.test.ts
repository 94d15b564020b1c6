import { CancellationToken, CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, scope } from '@quiesce/scope';
import { ResourcePool } from '@quiesce/worker-pool';
import {
  receiveToken,
  serveTasks,
  shareToken,
  TaskWorker,
  type TaskWorkerOptions,
  WorkerEndedError,
  WorkerFailedError,
} from '@quiesce/worker-pool/web';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { macrotask, rejection } from './vocabulary.ts';
import { startMissing, startWorker } from './web-worker.ts';

afterEach(() => void vi.unstubAllGlobals());

/** Shared with a call: whether it has started, its rounds so far, and a third number for the work. */
const newSeen = (): Int32Array => new Int32Array(new SharedArrayBuffer(12));

/** Starts a worker that ends with the test. */
async function open(options?: TaskWorkerOptions): Promise<TaskWorker> {
  const worker = new TaskWorker(await startWorker(), options);
  onTestFinished(() => worker.shutdown().catch(() => {}));
  return worker;
}

/** Waits until the work runs. Only the shared memory shows that. */
async function running(seen: Int32Array): Promise<void> {
  while (Atomics.load(seen, 0) === 0) await macrotask();
}

/** As in a page that is not isolated. */
function withoutSharedMemory(): void {
  vi.stubGlobal('crossOriginIsolated', false);
}

const modes = [
  { mode: 'with shared memory', prepare: () => {}, advice: 'read token.isCancelled more often' },
  { mode: 'with messages alone', prepare: withoutSharedMemory, advice: 'call `await checkpoint(token)`' },
];

describe.each(modes)('a call in a worker, $mode', { timeout: 60_000 }, ({ prepare, advice }) => {
  it('returns its result, and rejects with its error', async () => {
    prepare();
    const worker = await open();
    expect(await worker.run({ work: 'double', value: 21, seen: newSeen() })).toBe(42);
    const error = await rejection(worker.run({ work: 'double', value: -1, seen: newSeen() }));
    expect(error).toMatchObject({ name: 'RangeError', message: 'negative' });
    expect(worker.inFlightCount).toBe(0);
  });

  it('rejects with the original reason when it stops, after its cleanup', async () => {
    prepare();
    const worker = await open();
    const [seen, token] = [newSeen(), new CancellationToken()];
    const result = rejection(worker.run({ work: 'yieldOften', seen }, { signal: token }));
    await running(seen);
    const reason = { code: 7 };
    token.cancel(reason);
    expect(await result).toBe(reason);
    expect(Atomics.load(seen, 2)).toBe(1);
    expect(worker.isClosed).toBe(false);
  });

  it('returns a value in spite of its cancellation', async () => {
    prepare();
    const worker = await open();
    const [seen, controller] = [newSeen(), new AbortController()];
    const result = worker.run({ work: 'listen', seen }, { signal: controller.signal });
    await running(seen);
    controller.abort('enough');
    expect(await result).toBe('enough');
  });

  it('is never sent when it is cancelled while the worker starts', async () => {
    prepare();
    const worker = await open();
    const [seen, token] = [newSeen(), new CancellationToken()];
    const result = rejection(worker.run({ work: 'neverStops', seen }, { signal: token }));
    token.cancel('left');
    expect(await result).toBe('left');
    expect(await worker.run({ work: 'double', value: 1, seen: newSeen() })).toBe(2);
    expect(Atomics.load(seen, 0)).toBe(0);
  });

  it('is terminated with its worker after `cleanupTimeout` when it does not stop, and other calls fail', async () => {
    prepare();
    const clock = new VirtualClock();
    const worker = await open({ cleanupTimeout: 500, clock, name: 'search' });
    const [seen, token] = [newSeen(), new CancellationToken()];
    const other = rejection(worker.run({ work: 'neverSettles', seen: newSeen() }));
    const result = rejection(worker.run({ work: 'neverStops', seen }, { signal: token }));
    await running(seen);
    token.cancel('enough');
    await clock.advance(499);
    const before = Atomics.load(seen, 1);
    while (Atomics.load(seen, 1) === before) await macrotask();
    await clock.advance(1);
    const error = await result;
    expect(error).toBeInstanceOf(WorkerEndedError);
    expect(error).toMatchObject({ code: 'ERR_WORKER_ENDED', cleanupTimeout: 500, cause: 'enough' });
    expect(String(error)).toContain('Work in worker "search" did not stop within 500 ms');
    expect(String(error)).toContain(advice);
    expect(await other).toBeInstanceOf(WorkerFailedError);
    expect(await rejection(worker.run({ work: 'double', value: 1, seen }))).toBe(await other);
    expect([worker.isClosed, worker.inFlightCount, clock.pendingCount]).toEqual([true, 0, 0]);
    await worker.shutdown();
  });

  it('ends with the worker when the worker is shut down: it is cancelled and awaited', async () => {
    prepare();
    const worker = await open({ name: 'search' });
    const seen = newSeen();
    const result = rejection(worker.run({ work: 'yieldOften', seen }));
    await running(seen);
    const ended = worker.shutdown();
    expect(worker.isClosed).toBe(true);
    await ended;
    expect(Atomics.load(seen, 2)).toBe(1);
    expect(await result).toMatchObject({ name: 'AbortError', message: 'Worker "search" is shut down' });
    expect(worker.shutdown()).toBe(ended);
    expect(await rejection(worker.run(1))).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('leaves nothing on a long-lived token', async () => {
    prepare();
    const worker = await open();
    const signal = new CancellationToken();
    for (let n = 0; n < 5; n++) await worker.run({ work: 'double', value: n, seen: newSeen() }, { signal });
    expect((signal as unknown as { head: unknown }).head).toBe(undefined);
  });
});

describe('a call in a worker', { timeout: 60_000 }, () => {
  it.each([
    ['a string', 'enough', 'enough'],
    [
      'a CancelledError',
      new CancelledError('mine', { source: 'shutdown' }),
      { name: 'AbortError', source: 'shutdown' },
    ],
    ['the reason of an abort', AbortSignal.abort().reason, { name: 'AbortError' }],
    ['a deadline', new TimeoutError(50), { name: 'TimeoutError', ms: 50 }],
    ['an error', new RangeError('far'), { name: 'RangeError', message: 'far' }],
    ['an object', { code: 7 }, { code: 7 }],
  ])('sees the cancellation and its reason in a loop that never yields: %s', async (_, reason, expected) => {
    const worker = await open();
    const [seen, token] = [newSeen(), new CancellationToken()];
    const result = worker.run({ work: 'compute', seen }, { signal: token });
    await running(seen);
    token.cancel(reason);
    const arrived = await result;
    if (typeof expected === 'string') expect(arrived).toBe(expected);
    else expect(arrived).toMatchObject(expected);
  });

  it.each([
    ['an error that cannot be cloned', new Error('deploy', { cause: () => {} })],
    ['a function', () => 'deploy'],
  ])('rejects with the original reason, although the worker got a text: %s', async (_, reason) => {
    const worker = await open();
    const [seen, token] = [newSeen(), new CancellationToken()];
    const result = rejection(worker.run({ work: 'obey', seen }, { signal: token }));
    await running(seen);
    token.cancel(reason);
    expect(await result).toBe(reason);
  });

  it('never starts when it is cancelled while the worker computes for another one', async () => {
    const worker = await open();
    const [first, second] = [newSeen(), newSeen()];
    const [stop, token] = [new CancellationToken(), new CancellationToken()];
    const busy = worker.run({ work: 'compute', seen: first }, { signal: stop });
    await running(first);
    const waiting = rejection(worker.run({ work: 'compute', seen: second }, { signal: token }));
    token.cancel('left');
    expect(await waiting).toBe('left');
    stop.cancel('done');
    expect(await busy).toBe('done');
    expect(await worker.run({ work: 'double', value: 1, seen: newSeen() })).toBe(2);
    expect(Atomics.load(second, 0)).toBe(0);
  });

  it('transfers what `transferList` names, in both directions', async () => {
    const worker = await open();
    const value = new ArrayBuffer(16);
    expect(await worker.run({ work: 'length', value, seen: newSeen() }, { transferList: [value] })).toBe(16);
    expect(value.byteLength).toBe(0);
    expect(await worker.run<ArrayBuffer>({ work: 'buffer', seen: newSeen() })).toHaveProperty('byteLength', 8);
  });

  it('rejects when its input, its result or its error cannot be cloned, and the worker continues', async () => {
    const worker = await open();
    expect(await rejection(worker.run(() => {}))).toMatchObject({ name: 'DataCloneError' });
    expect(String(await rejection(worker.run({ work: 'uncloneable', seen: newSeen() })))).toMatch(/clone/i);
    expect(String(await rejection(worker.run({ work: 'failUncloneable', seen: newSeen() })))).toContain('not sent');
    expect(await worker.run({ work: 'double', value: 1, seen: newSeen() })).toBe(2);
    expect(worker.inFlightCount).toBe(0);
  });

  it('is not sent when its token is already cancelled, or an option is wrong', async () => {
    const worker = await open();
    const signal = CancellationToken.alreadyCancelled('never');
    expect(await rejection(worker.run(1, { signal }))).toBe('never');
    expect(await rejection(worker.run(1, { token: signal } as never))).toBeInstanceOf(TypeError);
  });
});

describe('the file of a worker', { timeout: 60_000 }, () => {
  it('serves its owner with one function', async () => {
    const worker = await open();
    expect(await worker.run({ work: 'serveAgain', seen: newSeen() })).toBe(
      'serveTasks: the owner of this worker is served already; call it once',
    );
  });
});

describe('a worker that dies', { timeout: 60_000 }, () => {
  it('rejects its calls when its file cannot be loaded', async () => {
    const worker = new TaskWorker(await startMissing(), { name: 'search' });
    const error = await rejection(worker.run(1));
    expect(error).toBeInstanceOf(WorkerFailedError);
    expect(error).toMatchObject({
      code: 'ERR_WORKER_FAILED',
      message: expect.stringContaining('Worker "search" failed: '),
    });
    expect(await rejection(worker.run(1))).toBe(error);
    await worker.shutdown();
  });

  it('rejects its calls when an error in it is not caught', async () => {
    const worker = await open();
    const error = await rejection(worker.run({ work: 'throwLater', seen: newSeen() }));
    expect(error).toMatchObject({ name: 'WorkerFailedError', message: expect.stringContaining('uncaught') });
    expect(worker.isClosed).toBe(true);
  });

  it('rejects its calls when it closes itself', { timeout: 5_000 }, async () => {
    const worker = await open();
    const error = await rejection(worker.run({ work: 'closeItself', seen: newSeen() }));
    expect(error).toMatchObject({ name: 'WorkerFailedError', message: 'Worker "worker" failed: it was closed' });
  });

  it('does not hold a call that is cancelled after the worker closed itself', async () => {
    const clock = new VirtualClock();
    const worker = await open({ clock });
    const [seen, signal] = [newSeen(), new CancellationToken()];
    const error = rejection(worker.run({ work: 'closeItself', seen }, { signal }));
    await running(seen);
    signal.cancel('enough');
    await clock.advance(1_000);
    expect((await error) as Error).toHaveProperty('name', expect.stringMatching(/^Worker(Failed|Ended)Error$/));
  });

  it('handles an error that it emits while it is terminated', async () => {
    const failure = new Event('error', { cancelable: true });
    class Failing extends EventTarget {
      postMessage(): void {}
      terminate(): void {
        this.dispatchEvent(failure);
      }
    }
    await new TaskWorker(new Failing()).shutdown();
    expect(failure.defaultPrevented).toBe(true);
  });

  it('rejects its shutdown with the failure when no call has seen it', async () => {
    const worker = new TaskWorker(await startMissing());
    while (!worker.isClosed) await macrotask();
    expect(await rejection(worker.shutdown())).toBeInstanceOf(WorkerFailedError);
  });
});

describe('a worker as a resource', { timeout: 60_000 }, () => {
  it('ends with its scope, after the tasks that use it', async () => {
    const seen = newSeen();
    const s = new Scope();
    const worker = await s.use(new TaskWorker(await startWorker()));
    s.spawn((token) => worker.run({ work: 'yieldOften', seen }, { signal: token }), { name: 'search' });
    await running(seen);
    s.cancel('left the page');
    expect(await rejection(s.join())).toBe('left the page');
    expect([Atomics.load(seen, 2), worker.isClosed]).toEqual([1, true]);
  });

  it('ends with its block', async () => {
    let outside: TaskWorker | undefined;
    await scope(async () => {
      await using worker = new TaskWorker(await startWorker());
      outside = worker;
      expect(await worker.run({ work: 'double', value: 3, seen: newSeen() })).toBe(6);
    });
    expect(outside?.isClosed).toBe(true);
  });

  it('is replaced by a pool after it was terminated', async () => {
    let startedCount = 0;
    const pool = new ResourcePool({
      create: async () => {
        startedCount++;
        return new TaskWorker(await startWorker(), { cleanupTimeout: 0 });
      },
      isUsable: (worker) => !worker.isClosed,
      close: (worker) => worker.shutdown(),
      max: 1,
    });
    const [seen, signal] = [newSeen(), new CancellationToken()];
    const stuck = rejection(pool.use((worker) => worker.run({ work: 'neverStops', seen }, { signal })));
    await running(seen);
    signal.cancel('enough');
    expect(await stuck).toBeInstanceOf(WorkerEndedError);
    expect(await pool.use((worker) => worker.run({ work: 'double', value: 1, seen }))).toBe(2);
    expect(startedCount).toBe(2);
    expect((await pool.shutdown({ timeout: 5_000 })).failed).toEqual([]);
  });
});

describe('a port', () => {
  it('carries calls without shared memory, and is closed at the end', async () => {
    const { port1, port2 } = new MessageChannel();
    serveTasks(async (n: number, token) => (token.isCancelled ? 0 : 2 * n), { port: port2 });
    const worker = new TaskWorker(port1);
    expect(await worker.run(21)).toBe(42);
    await worker.shutdown();
    expect(worker.isClosed).toBe(true);
  });

  it('delivers the cancellation as a message', async () => {
    const { port1, port2 } = new MessageChannel();
    let start = (): void => {};
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    serveTasks(
      async (_: null, token) => {
        start();
        await token.cancelled();
        token.throwIfCancelled();
      },
      { port: port2 },
    );
    await using worker = new TaskWorker(port1);
    const token = new CancellationToken();
    const result = rejection(worker.run(null, { signal: token }));
    await started;
    token.cancel('enough');
    expect(await result).toBe('enough');
  });
});

describe('a call through a port', () => {
  it('rejects with the reason when the work has cancelled its own token', async () => {
    const { port1, port2 } = new MessageChannel();
    serveTasks(
      (_: null, token) => {
        token.cancel(new RangeError('found'));
        token.throwIfCancelled();
      },
      { port: port2 },
    );
    await using worker = new TaskWorker(port1);
    expect(await rejection(worker.run(null))).toMatchObject({ name: 'RangeError', message: 'found' });
  });

  it('is not sent when its signal aborts while the call begins', async () => {
    const { port1, port2 } = new MessageChannel();
    await using worker = new TaskWorker(port1);
    for (let last = 1; last <= 10; last++) {
      const controller = new AbortController();
      const abort = (): void => {
        Reflect.deleteProperty(controller.signal, 'aborted');
        controller.abort('enough');
      };
      let reads = 0;
      const aborted = (): boolean => {
        if (++reads === last) abort();
        return reads >= last;
      };
      Object.defineProperty(controller.signal, 'aborted', { get: aborted, configurable: true });
      let outcome: unknown = 'waits for the worker';
      worker.run(null, { signal: controller.signal }).catch((reason) => {
        outcome = reason;
      });
      // The call reads it less often than that.
      if (reads < last) abort();
      await macrotask();
      expect([last, outcome]).toEqual([last, 'enough']);
    }
    port2.close();
  });
});

describe('a shared token without shared memory', () => {
  it('is cancelled by a message, with the reason', async () => {
    const near = new CancellationToken({ name: 'job' });
    const link = shareToken(near, { sharedMemory: false });
    // What a message makes of memory that is not shared.
    const far = receiveToken({ ...link.shared, flags: structuredClone(link.shared.flags) });
    near.cancel(new CancelledError('mine', { source: 'shutdown' }));
    expect([far.isCancelled, far.name, link.withdraw()]).toEqual([false, 'job', false]);
    await far.cancelled();
    expect(far.reason).toMatchObject({ name: 'AbortError', message: 'mine', source: 'shutdown' });
    link.dispose();
  });

  it('is cancelled from the start when the near token was', () => {
    const link = shareToken(CancellationToken.alreadyCancelled('early'), { sharedMemory: false });
    const far = receiveToken({ ...link.shared, flags: structuredClone(link.shared.flags) });
    expect([far.isCancelled, far.reason]).toEqual([true, 'early']);
    link.dispose();
  });
});

describe('a shared token with a deadline that is renewed', () => {
  it('is cancelled at the last deadline', async () => {
    const clock = new VirtualClock();
    const near = new CancellationToken().renewable(100, { clock });
    using link = shareToken(near.token);
    const far = receiveToken(link.shared);
    await clock.advance(90);
    near.renew(250);
    await clock.advance(249);
    expect(far.isCancelled).toBe(false);
    await clock.advance(1);
    expect([far.isCancelled, far.reason]).toEqual([true, expect.objectContaining({ name: 'TimeoutError', ms: 250 })]);
  });
});

describe('a shared token that is read before its message', () => {
  it.each([
    ['a string', 'enough', 'enough'],
    ['nothing', undefined, { name: 'AbortError' }],
    ['a CancelledError', new CancelledError('mine', { source: 'shutdown' }), { message: 'mine', source: 'shutdown' }],
    ['a deadline', new TimeoutError(50), { name: 'TimeoutError', ms: 50 }],
    ['an error', new RangeError('far'), { name: 'RangeError', message: 'far' }],
    ['an object', { code: 7 }, { code: 7 }],
    ['the reason of an abort', AbortSignal.abort().reason, { name: 'AbortError' }],
    ['a function', () => 'deploy', { name: 'Error', message: expect.stringContaining('deploy') }],
    ['a bigint', 7n, { name: 'Error', message: '7' }],
    ['a long text', '\u0007'.repeat(5_000), { name: 'Error', message: '\u0007'.repeat(300) }],
    [
      'what has no text',
      Object.create(null, { toJSON: { value: () => 1n } }),
      { message: 'The reason could not be sent' },
    ],
  ])('has the reason as JSON: %s', (_, reason, expected) => {
    const near = new CancellationToken();
    const link = shareToken(near);
    // No message arrives at another port.
    const { port1, port2 } = new MessageChannel();
    const far = receiveToken({ ...link.shared, port: port2 });
    near.cancel(reason);
    expect(far.isCancelled).toBe(true);
    if (typeof expected === 'string') expect(far.reason).toBe(expected);
    else expect(far.reason).toMatchObject(expected);
    link.dispose();
    port1.close();
  });
});

describe('wrong arguments', () => {
  it('are named', () => {
    expect(() => receiveToken({} as never)).toThrow('expected the `shared` of shareToken(token), got');
    expect(() => new TaskWorker({} as never)).toThrow(
      'new TaskWorker: expected a Worker or a MessagePort, got an object',
    );
    expect(() => serveTasks(5 as never)).toThrow('serveTasks: expected a function, got the number 5');
    expect(() => serveTasks(() => {}, { port: 5 as never })).toThrow(
      'serveTasks: port: expected a port, got the number 5',
    );
  });
});
