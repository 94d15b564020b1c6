// Workers of a real browser, from the packed packages, in a page that Vite has bundled: with shared memory, and without.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumNote, chromiumPath, isChromiumMissing, quiet } from '../runtimes/chromium.ts';
import { copyInstalled } from './pack.ts';

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const page = fileURLToPath(new URL('web-worker', import.meta.url));

// Outside the clone, because Vite would otherwise find the workspace's packages in a parent folder.
const folder = mkdtempSync(join(tmpdir(), 'quiesce-web-worker-'));
let browser: Browser;

beforeAll(async () => {
  cpSync(page, folder, { recursive: true });
  copyInstalled(folder);
  const vite = createRequire(import.meta.resolve('vitest')).resolve('vite');
  const { build } = (await import(pathToFileURL(vite).href)) as { build(config: object): Promise<unknown> };
  // As is: the target of browsers without `using`.
  await build({ root: folder, logLevel: 'error', worker: { format: 'es' }, build: { target: 'es2022' } });
  browser = await chromium.launch({ executablePath: chromiumPath(), args: [...quiet] });
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Serves the bundled page. */
async function serve(headers: Record<string, string>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = join(folder, 'dist', request.url === '/' ? 'index.html' : (request.url ?? ''));
    if (!existsSync(path)) return response.writeHead(404).end();
    return response
      .writeHead(200, { 'content-type': types[extname(path)] ?? 'text/plain', ...headers })
      .end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe.skipIf(isChromiumMissing).each([
  { kind: 'isolated', headers: isolation, isShared: true },
  { kind: 'not isolated', headers: {}, isShared: false },
])(`a page that is $kind${chromiumNote}`, ({ headers, isShared }) => {
  let server: Server;
  let opened: Page;
  beforeAll(async () => {
    server = await serve(headers);
    opened = await browser.newPage();
    await opened.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await opened.waitForFunction('globalThis.outcome !== undefined');
  });
  afterAll(async () => {
    await opened?.close();
    server?.close();
  });

  const outcome = (...args: [loop: string, where: string, cleanupTimeout: number]): Promise<unknown> =>
    opened.evaluate(`outcome(...${JSON.stringify(args)})`);

  test('has shared memory exactly when it is isolated', async () => {
    expect(await opened.evaluate('[crossOriginIsolated, typeof SharedArrayBuffer]')).toEqual([
      isShared,
      isShared ? 'function' : 'undefined',
    ]);
  });

  test('cancels a loop that yields to the event loop', async () => {
    expect(await outcome('yielding', 'dedicated', 60_000)).toBe('returned enough');
  });

  test(`${isShared ? 'cancels' : 'terminates'} a loop that reads its token and never yields`, async () => {
    const expected = isShared ? 'returned enough' : 'rejected with WorkerEndedError';
    expect(await outcome('reading', 'dedicated', isShared ? 60_000 : 100)).toBe(expected);
  });

  test('terminates a loop that ignores its token', async () => {
    expect(await outcome('deaf', 'dedicated', 100)).toBe('rejected with WorkerEndedError');
  });

  test('cancels a loop in a SharedWorker', async () => {
    expect(await outcome('yielding', 'shared', 60_000)).toBe('returned enough');
  });

  test('has no worker left, and cannot serve tasks itself', async () => {
    // Chromium ends a worker that computes two seconds after `terminate`.
    await expect.poll(() => opened.workers().length, { timeout: 60_000 }).toBe(0);
    expect(await opened.evaluate('serveHere()')).toMatch(/^serveTasks: this is not a Web Worker/);
  });
});
