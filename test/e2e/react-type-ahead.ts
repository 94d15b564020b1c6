// Tests of a page of docs/examples/react-type-ahead, built by Vite, in Chromium. The clock of the page is under control of the tests.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Locator } from 'playwright';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { chromiumNote, chromiumPath, isChromiumMissing, quiet } from '../runtimes/chromium.ts';

const examples = new URL('../../docs/examples/react-type-ahead/', import.meta.url);
const outDir = fileURLToPath(new URL('../.output/react-type-ahead/', import.meta.url));
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
const PAUSE = 200;
const PATIENCE = 240_000;

let browser: Browser;

/** A request for a search, as its server sees it. */
interface Search {
  readonly text: string;
  /** Settles when the client ends the request before the answer. */
  readonly aborted: Promise<void>;
  answer(items: readonly string[] | number): void;
}

function searchOf(url: URL, response: ServerResponse): Search {
  const aborted = new Promise<void>((resolve) => {
    response.once('close', () => {
      if (!response.writableFinished) resolve();
    });
  });
  return {
    text: url.searchParams.get('text') ?? '',
    aborted,
    answer: (items) => {
      if (typeof items === 'number') response.writeHead(items).end();
      else response.end(JSON.stringify(items));
    },
  };
}

interface Opened {
  readonly input: Locator;
  readonly list: Locator;
  readonly alert: Locator;
  readonly buttons: (name: string) => Locator;
  /** The text of each search that was sent. */
  readonly texts: string[];
  /** Moves the clock of the page. */
  pause(ms?: number): Promise<void>;
  /** Waits for the next search. */
  nextSearch(): Promise<Search>;
}

/** Opens a page with a server of its own, until the test has finished. */
async function open(file: string): Promise<Opened> {
  const texts: string[] = [];
  const searches: Search[] = [];
  let wake: () => void = () => {};
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    if (url.pathname === '/search') {
      const search = searchOf(url, response);
      texts.push(search.text);
      searches.push(search);
      wake();
    } else {
      const type = types[extname(url.pathname)];
      if (type === undefined) response.writeHead(404).end();
      else response.setHeader('Content-Type', type).end(readFileSync(join(outDir, url.pathname)));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const page = await browser.newPage();
  onTestFinished(async () => {
    await page.close();
    server.close();
    server.closeAllConnections();
  });
  await page.clock.install({ time: 0 });
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${file}`);
  await page.clock.pauseAt(3_600_000);
  return {
    input: page.getByRole('searchbox'),
    list: page.getByRole('list'),
    alert: page.getByRole('alert'),
    buttons: (name) => page.getByRole('button', { name }),
    texts,
    pause: (ms = PAUSE) => page.clock.runFor(ms),
    nextSearch: async () => {
      while (searches.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return searches.shift() as Search;
    },
  };
}

/** Waits until the page shows these items. Only a test that hangs takes the whole time. */
const shows = (list: Locator, items: readonly string[]) =>
  expect.poll(() => list.getByRole('listitem').allTextContents(), { timeout: PATIENCE }).toEqual(items);

export function testTypeAhead(how: string, file: string): void {
  describe.skipIf(isChromiumMissing)(`the type-ahead ${how}${chromiumNote}`, { timeout: PATIENCE }, () => {
    beforeAll(async () => {
      await build({ root: fileURLToPath(examples), logLevel: 'warn', build: { outDir, emptyOutDir: true } });
      if (!isChromiumMissing) browser = await chromium.launch({ executablePath: chromiumPath(), args: [...quiet] });
    }, PATIENCE);

    afterAll(() => browser?.close());

    it('sends one request for a text that is typed without a pause', async () => {
      const { input, list, texts, pause, nextSearch } = await open(file);
      for (const key of 'quiesce') {
        await input.press(key);
        await pause(PAUSE - 1);
      }
      expect(texts).toEqual([]);
      await pause(1);
      (await nextSearch()).answer(['quiesce']);
      await shows(list, ['quiesce']);
      expect(texts).toEqual(['quiesce']);
    });

    it('aborts a request when the text changes, and shows the result of the latest text only', async () => {
      const { input, list, alert, texts, pause, nextSearch } = await open(file);
      await input.fill('qu');
      await pause();
      (await nextSearch()).answer(['queue', 'quiesce', 'quiet']);
      await shows(list, ['queue', 'quiesce', 'quiet']);

      await input.fill('qui');
      expect(await list.getAttribute('aria-busy')).toBe('true');
      await pause();
      const earlier = await nextSearch();
      await input.fill('quies');
      await earlier.aborted;
      await pause();
      const latest = await nextSearch();
      // The last result, until the next one is there. An aborted request is no failure.
      await shows(list, ['queue', 'quiesce', 'quiet']);
      expect([await list.getAttribute('aria-busy'), await alert.count()]).toEqual(['true', 0]);
      latest.answer(['quiesce']);
      await shows(list, ['quiesce']);
      expect(await list.getAttribute('aria-busy')).toBe('false');
      expect(texts).toEqual(['qu', 'qui', 'quies']);
    });

    it('aborts the request, and starts none, when it is closed', async () => {
      const { input, texts, buttons, pause, nextSearch } = await open(file);
      await input.fill('qu');
      await pause();
      const running = await nextSearch();
      await buttons('Close').click();
      await running.aborted;

      await buttons('Open').click();
      await input.fill('sc');
      await buttons('Close').click();
      await pause();
      await buttons('Open').click();
      await input.fill('sh');
      await pause();
      await nextSearch();
      expect(texts).toEqual(['qu', 'sh']);
    });

    it('shows a failure with a button that tries again', async () => {
      const { input, list, alert, texts, buttons, pause, nextSearch } = await open(file);
      await input.fill('qu');
      await pause();
      (await nextSearch()).answer(503);
      await alert.waitFor({ timeout: PATIENCE });
      expect(await alert.textContent()).toContain('Error: The search failed with 503');
      await buttons('Try again').click();
      await pause();
      (await nextSearch()).answer(['queue']);
      await shows(list, ['queue']);
      expect([await alert.count(), texts]).toEqual([0, ['qu', 'qu']]);
    });
  });
}
