import { pbkdf2Sync, randomBytes, randomUUID, webcrypto } from 'node:crypto';
import { createReadStream, readFile, readFileSync, watch } from 'node:fs';
import { readFile as readFilePromise } from 'node:fs/promises';
import { connect } from 'node:net';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import { explore, ScheduleError, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

// Captured before an exploration replaces them, as a library does.
const { setTimeout: realTimeout, setImmediate: realImmediate } = globalThis;
const file = new URL(import.meta.url).pathname;

const real: Record<string, [() => Promise<unknown>, RegExp]> = {
  'a captured setTimeout': [() => new Promise((resolve) => realTimeout(resolve, 3)), /a real timer/],
  'fs with a callback': [() => promisify(readFile)(file), /a file/],
  'fs/promises': [() => readFilePromise(file), /a file/],
  zlib: [() => promisify(gzip)('text'), /zlib/],
  'crypto.subtle': [() => webcrypto.subtle.digest('SHA-256', new Uint8Array(8)), /crypto/],
  'a real fetch': [() => fetch('http://127.0.0.1:45999/').catch(() => {}), /for fetch/],
  'a socket': [
    () =>
      new Promise((resolve) => {
        connect(9, '127.0.0.1').once('error', resolve).once('close', resolve);
      }),
    /a socket/,
  ],
  MessageChannel: [
    () =>
      new Promise<void>((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(0);
      }),
    /a thread or message channel/,
  ],
  'Atomics.waitAsync': [
    async () => {
      const cell = new Int32Array(new SharedArrayBuffer(4));
      const { waitAsync } = Atomics as unknown as { waitAsync(...args: unknown[]): { value: Promise<unknown> } };
      const wait = waitAsync(cell, 0, 0, 5);
      await wait.value;
    },
    /Atomics\.waitAsync/,
  ],
};

test.each(Object.entries(real))('%s is refused by name and place', async (_, [act, text]) => {
  const error = (await explore(async () => void (await act())).catch((reason) => reason)) as ScheduleError;
  expect(error).toBeInstanceOf(ScheduleError);
  expect(error.kind).toBe('unmodelled');
  expect(error.message).toMatch(text);
  expect(error.message).toMatch(/unmodelled\.test\.ts:\d+/);
});

test.each(Object.entries(real))('%s is refused also in one branch only', async (_, [act, text]) => {
  const body = async (world: World) => {
    let order = '';
    const load = world.external('load', ['page']);
    await Promise.all(
      [1, 2].map((i) =>
        load(i).then(() => {
          order += i;
        }),
      ),
    );
    if (order === '21') await act();
  };
  const error = (await explore(body).catch((reason) => reason)) as ScheduleError;
  expect(error).toBeInstanceOf(ScheduleError);
  expect(error.kind).toBe('unmodelled');
  expect(error.message).toMatch(text);
  expect(error.schedule).toMatch(/^0:1/);
});

test.each<[string, () => unknown, RegExp]>([
  ['zlib', () => gzip('text', () => {}), /zlib/],
  ['crypto.subtle', () => void webcrypto.subtle.digest('SHA-256', new Uint8Array(8)), /crypto/],
  ['a watcher that is closed at once', () => watch(file).close(), /a file/],
])('%s is refused in one branch only, also when the test does not wait for it', async (_, act, text) => {
  const error = await explore(async (world) => {
    const load = world.external('load', ['page']);
    const first = await Promise.race([load(1).then(() => 1), load(2).then(() => 2)]);
    if (first === 2) act();
    await world.rest();
  }).catch((reason) => reason);
  expect(error).toMatchObject({ kind: 'unmodelled' });
  expect(error.message).toMatch(text);
  expect(error.message).toMatch(/unmodelled\.test\.ts:\d+/);
});

test('a file that a stream opens later is refused with the place that made the stream', async () => {
  const error = await explore(() => finished(createReadStream(file).resume())).catch((reason) => reason);
  expect(error.message).toMatch(/^unmodelled: The test made a file .*unmodelled\.test\.ts:\d+/);
});

test('`ignore` accepts a type of resource', async () => {
  await explore(() => void readFile(file, () => {}), {
    ignore: ['FSREQCALLBACK', 'FSReqCallback', 'FILEHANDLE'],
    bound: 0,
  });
});

test('a turn that a library takes through a captured `setImmediate` belongs to its step', async () => {
  const report = await explore(async (world) => {
    await world.external('load', ['page'])();
    await new Promise<void>((resolve) => realImmediate(() => resolve()));
    await world.external('load', ['page'])();
  });
  expect(report).toMatchObject({ depth: 2 });
});

test('printing is no handle of the test', async () => {
  await explore(async (world) => {
    await world.external('load', ['page'])();
    // biome-ignore lint/suspicious/noConsole: printing is what is tested
    console.error('printed by a test of the explorer');
  });
});

test('synchronous calls of crypto, zlib and fs are no handles', async () => {
  await explore(async (world) => {
    await world.external('load', ['page'])();
    randomBytes(8);
    randomUUID();
    pbkdf2Sync('secret', 'salt', 1, 8, 'sha256');
    gzipSync('text');
    readFileSync(file);
    structuredClone({});
  });
});

test('responses with bodies pass', async () => {
  await explore(async (world) => {
    await world.external('load', ['page'])();
    const response = new Response('{"a":1}', { headers: { 'content-type': 'application/json' } });
    const copy = response.clone();
    expect(await response.json()).toEqual({ a: 1 });
    expect(await copy.text()).toBe('{"a":1}');
    const stream = new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('x'));
          controller.close();
        },
      }),
    );
    expect(await stream.text()).toBe('x');
    const form = new FormData();
    form.set('a', 'b');
    expect((await new Response(form).formData()).get('a')).toBe('b');
    expect(await new Response(new Blob(['blob'])).text()).toBe('blob');
  });
});
