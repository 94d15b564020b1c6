// Jest's jsdom environment, and other small hosts, have timers, `performance` and `AbortController`, and little else.
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const program = `
  import { broadcast } from '@quiesce/broadcast-channel';
  import { CancellationToken } from '@quiesce/cancellation-token';
  import { channel } from '@quiesce/channel';
  import { scope } from '@quiesce/scope';
  import { select, sleep, timeout } from '@quiesce/select';
  import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';

  async function stream([tx, rx]) {
    let sum = 0;
    const sending = (async () => { for (let i = 0; i < 3_000; i++) { await tx.send(1); if (i % 8 === 7) await sleep(0); } tx.close(); })();
    for await (const value of rx) sum += value;
    await sending;
    return sum;
  }
  async function loop(turn) {
    for (let i = 0; i < 3_000; i++) await turn();
    return 'ended';
  }

  globalThis.results = Promise.all([
    stream(channel(16)),
    stream(broadcast(4_096)),
    loop(() => select({ value: Promise.resolve(1), never: new CancellationToken() })),
    loop(() => timeout(1_000, () => 1)),
    loop(() => scope((s) => s.spawn(() => 1))),
    loop(() => new WorkerPool({ concurrency: 1 }).execute(() => 1)),
    loop(() => new ResourcePool({ create: () => 1, max: 1 }).use(() => 1)),
    timeout(5, ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))).catch(
      (error) => error.name,
    ),
  ]);
`;

test('loops over every package that runs everywhere end in a page that has neither `setImmediate` nor `MessageChannel`', async () => {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    conditions: process.execArgv.includes('--conditions=built') ? ['built'] : [],
  });
  const page: { results?: Promise<unknown[]> } = createContext({
    setTimeout,
    clearTimeout,
    performance,
    console,
    AbortController,
    AbortSignal,
    Event,
    EventTarget,
    queueMicrotask,
  });
  runInContext(outputFiles[0]?.text ?? '', page as object);
  const ended = 'ended';
  expect(await page.results).toEqual([3_000, 3_000, ended, ended, ended, ended, ended, 'TimeoutError']);
});
