// Chromium without a window: each bundle runs in a page of its own, or in a Web Worker of such a page.
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { relative } from 'node:path';
import { type BrowserContext, chromium as driver, type Page } from 'playwright-core';
import { root } from '../package/packages.ts';
import type { Options, Outcome } from './inside/main.ts';
import { patience } from './processes.ts';
import type { Session } from './runtimes.ts';

/** Nothing but the page: no updates, no metrics, no connections of its own. */
const quiet = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  ...['--disable-component-update', '--disable-sync', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
];

/** With these a page has SharedArrayBuffer, and timers as precise as elsewhere. */
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Where distributions install it, when CHROMIUM does not say it. */
const usual = ['chromium', 'chromium-browser', 'google-chrome'];

/** @param where whether bundles run in the page or in a Web Worker */
export async function chromium(where: 'page' | 'worker'): Promise<Session> {
  const executablePath = find();
  const server = await serve();
  // Without a folder for its profile Playwright makes a fresh one, and takes it away.
  const browser = await driver.launch({ executablePath, args: quiet, headless: true });
  const context = await browser.newContext();
  const { port } = server.address() as AddressInfo;
  return {
    version: browser.version(),
    run: (bundle, _file, options) => {
      const url = `/${relative(root, bundle).replaceAll('\\', '/')}`;
      return runIn(context, where, `http://127.0.0.1:${port}`, url, options);
    },
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}

/** The command, by its path. */
function find(): string {
  const named = process.env['CHROMIUM'];
  if (named) return named;
  for (const name of usual) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  throw new Error(
    'there is no chromium: install it (on Debian `apt-get install chromium`), or say in CHROMIUM where it is',
  );
}

/** Serves the bundles, and an empty page to import them from. */
async function serve(): Promise<Server> {
  const server = createServer(async ({ url = '/' }, response) => {
    const isBundle = /^\/test\/\.output\/runtimes\/[\w.-]+\/[\w.-]+\.mjs$/.test(url);
    const type = isBundle ? 'text/javascript' : 'text/html';
    const body = isBundle ? await readFile(root + url.slice(1)) : '<!doctype html><title>tests</title>';
    response.writeHead(200, { ...isolated, 'Content-Type': `${type}; charset=utf-8` }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function runIn(
  context: BrowserContext,
  where: 'page' | 'worker',
  origin: string,
  url: string,
  options: Options,
): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  let page: Page | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ results: [], errors: [`it did not end in ${patience} ms`] }), patience);
  });
  try {
    page = await context.newPage();
    await page.goto(origin);
    return await Promise.race([where === 'page' ? inPage(page, url, options) : inWorker(page, url, options), late]);
  } catch (error) {
    return { results: [], errors: [String(error)] };
  } finally {
    clearTimeout(timer);
    await page?.close();
  }
}

// What is handed to `evaluate` runs in the page: it may name nothing from around it.

function inPage(page: Page, url: string, options: Options): Promise<Outcome> {
  return page.evaluate(
    async ({ url, options }) => {
      const { default: run } = (await import(url)) as { default: (options: Options) => Promise<Outcome> };
      return run(options);
    },
    { url, options },
  );
}

function inWorker(page: Page, url: string, options: Options): Promise<Outcome> {
  return page.evaluate(
    ({ url, options }) => {
      const code = `
        import run from ${JSON.stringify(new URL(url, location.href).href)};
        postMessage(await run(${JSON.stringify(options)}));`;
      const blob = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
      const worker = new Worker(blob, { type: 'module' });
      return new Promise<Outcome>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data as Outcome);
        worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
      });
    },
    { url, options },
  );
}
