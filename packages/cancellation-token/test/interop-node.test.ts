// The token's signal with Node's APIs: timers, events, streams, files, readline.
import { EventEmitter, getEventListeners, getMaxListeners, on, once } from 'node:events';
import { readFile } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, promises as readline } from 'node:readline';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as macrotask, setTimeout as sleep, setInterval as ticks } from 'node:timers/promises';
import { aborted } from 'node:util';
import { CancellationToken, CancelledError, isCancellation, isCancellationOf } from '@quiesce/cancellation-token';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { warningsDuring } from './helpers/warnings.ts';

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

let directory: string;
let file: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quiesce-interop-'));
  file = join(directory, 'file');
  await writeFile(file, Buffer.alloc(2 ** 22));
});
afterAll(() => rm(directory, { recursive: true }));

/** Operations that wait on a signal until it is aborted, if nothing else happens. */
const waits: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
  'timers/promises setTimeout': (signal) => sleep(2 ** 30, undefined, { signal }),
  'timers/promises setImmediate': (signal) => macrotask(undefined, { signal }),
  'timers/promises setInterval': (signal) =>
    ticks(2 ** 30, undefined, { signal })
      [Symbol.asyncIterator]()
      .next(),
  'events.once': (signal) => once(new EventEmitter(), 'never', { signal }),
  'events.on': (signal) => on(new EventEmitter(), 'never', { signal }).next(),
  'stream.pipeline': (signal) => pipeline(new PassThrough(), new PassThrough(), { signal }),
  'a stream with the option `signal`': (signal) => once(new PassThrough({ signal }), 'end'),
  'readline question': (signal) => {
    const lines = readline.createInterface({ input: new PassThrough(), output: new PassThrough() });
    return lines.question('name? ', { signal }).finally(() => lines.close());
  },
  'fs.readFile': (signal) =>
    new Promise((resolve, reject) => {
      readFile(file, { signal }, (error, data) => (error === null ? resolve(data) : reject(error)));
    }),
};

describe.each(Object.entries(waits))('%s', (_, start) => {
  test('rejects when the token is cancelled, with an abort error that has the reason as its cause', async () => {
    const root = new CancellationToken();
    using token = root.childToken();
    const error = failure(start(token.signal));
    root.cancel('enough');
    expect(await error).toMatchObject({ name: 'AbortError', cause: 'enough' });
    expect([isCancellation(await error), isCancellationOf(await error, token)]).toEqual([true, true]);
  });

  test('rejects immediately when a token above is already cancelled', async () => {
    const token = CancellationToken.alreadyCancelled();
    const error = await failure(Promise.resolve().then(() => start(token.signal)));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect((error as Error).cause).toBeInstanceOf(CancelledError);
  });

  test('causes no warning when it is called twenty times on one signal', async () => {
    const token = new CancellationToken();
    const names = await warningsDuring(async () => {
      const errors = Array.from({ length: 20 }, () => failure(start(token.signal)));
      token.cancel();
      await Promise.all(errors);
    });
    expect(names).toEqual([]);
  });
});

describe('an operation that ends before', () => {
  test('leaves no listener on the signal of a token', async () => {
    const token = new CancellationToken();
    const emitter = new EventEmitter();
    const happens = once(emitter, 'it', { signal: token.signal });
    emitter.emit('it');
    await happens;
    await sleep(0, undefined, { signal: token.signal });
    const chunks: unknown[] = [];
    const write = (chunk: unknown, _encoding: string, done: () => void): void => {
      chunks.push(chunk);
      done();
    };
    await pipeline(Readable.from(['a', 'b']), new Writable({ objectMode: true, write }), { signal: token.signal });
    expect(chunks).toEqual(['a', 'b']);
    expect(getEventListeners(token.signal, 'abort')).toEqual([]);
  });
});

test('events.on gives the events before the cancellation, and then rejects', async () => {
  const token = new CancellationToken();
  const emitter = new EventEmitter();
  const events = on(emitter, 'it', { signal: token.signal });
  emitter.emit('it', 1);
  emitter.emit('it', 2);
  token.cancel('enough');
  expect([(await events.next()).value, (await events.next()).value]).toEqual([[1], [2]]);
  expect(await failure(events.next())).toMatchObject({ name: 'AbortError', cause: 'enough' });
});

test('a readline interface with a signal is closed by the token', async () => {
  const token = new CancellationToken();
  const lines = createInterface({ input: new PassThrough(), signal: token.signal });
  const closed = once(lines, 'close');
  token.cancel();
  await closed;
  const late = createInterface({ input: new PassThrough(), signal: token.signal });
  await once(late, 'close');
});

test('a pipeline that is aborted destroys its streams', async () => {
  const token = new CancellationToken();
  const [from, to] = [new PassThrough(), new PassThrough()];
  const error = failure(pipeline(from, to, { signal: token.signal }));
  token.cancel();
  await error;
  expect([from.destroyed, to.destroyed]).toEqual([true, true]);
});

test('util.aborted is fulfilled by the token', async () => {
  const token = new CancellationToken();
  const below = token.childToken();
  let isFulfilled = false;
  const waiting = aborted(below.signal, {}).then(() => {
    isFulfilled = true;
  });
  await macrotask();
  expect(isFulfilled).toBe(false);
  token.cancel();
  await waiting;
  expect(isFulfilled).toBe(true);
});

test('addEventListener with the signal of a token receives no event after the cancellation', () => {
  const token = new CancellationToken();
  const target = new EventTarget();
  const log: string[] = [];
  target.addEventListener('it', () => log.push('heard'), { signal: token.childToken().signal });
  target.dispatchEvent(new Event('it'));
  token.cancel();
  target.dispatchEvent(new Event('it'));
  target.addEventListener('it', () => log.push('too late'), { signal: token.signal });
  target.dispatchEvent(new Event('it'));
  expect(log).toEqual(['heard']);
});

test('an EventTarget with a hundred listeners under one signal causes no warning', async () => {
  const token = new CancellationToken();
  const names = await warningsDuring(() => {
    for (let i = 0; i < 100; i++) new EventTarget().addEventListener('it', () => {}, { signal: token.signal });
  });
  expect(names).toEqual([]);
});

test('the listener limit of the signal of a token can be read, as undici does', () => {
  expect(getMaxListeners(new CancellationToken().signal)).toBe(Number.POSITIVE_INFINITY);
});

test('these tests would detect a warning', async () => {
  const emitter = new EventEmitter();
  const names = await warningsDuring(() => {
    for (let i = 0; i < 20; i++) emitter.on('it', () => {});
  });
  expect(names).toEqual(['MaxListenersExceededWarning']);
});
