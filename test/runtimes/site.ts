// Checks the site in a real browser. `npm run runtimes` runs it; `npx tsx test/runtimes/site.ts` does too. It needs
// Chromium (Debian's, or CHROMIUM=<path>), and the site that `npx tsx test/docs/site/build.ts` has built.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { root } from '../package/packages.ts';
import { chromiumPath, quiet } from './chromium.ts';

const site = join(root, 'test/.output/site/html');
const pictures = join(root, 'test/.output/site/pictures');
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};
const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 900 } };
const phone: BrowserContextOptions = { viewport: { width: 375, height: 812 }, hasTouch: true, isMobile: true };
/** One page of each kind. */
const kinds = [
  '/',
  '/packages/select.html',
  '/reference/quiesce.html',
  '/reference/@quiesce/cancellation-token.html',
  '/guide/cookbook/queues.html',
  '/guide/scope-outcomes.html',
  '/design.html',
];

/** Pages of lists and tables. */
const withoutCode = ['/reference/quiesce.html', '/guide/scope-outcomes.html', '/design.html'];

/** What readers search for, and the page and heading that they must find first. */
const searches: Record<string, string> = {
  select: '/reference/quiesce.html#api-select',
  scope: '/reference/quiesce.html#api-scope',
  CancellationToken: '/reference/quiesce.html#api-CancellationToken',
  broadcast: '/reference/quiesce.html#api-broadcast',
  runMain: '/reference/quiesce/node.html#api-runMain',
  VirtualClock: '/reference/quiesce/testing.html#api-VirtualClock',
  runUntilCancelled: '/reference/@quiesce/cancellation-token.html#api-rununtilcancelled',
};

/** The problems found. */
export async function lookAtSite(): Promise<string[]> {
  if (!existsSync(join(site, 'index.html'))) throw new Error('the site is not built: npx tsx test/docs/site/build.ts');
  mkdirSync(pictures, { recursive: true });
  const server = await serve();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: [...quiet],
  });
  try {
    const problems = [
      ...(await looks(browser, url, 'desktop-light', { ...desktop, colorScheme: 'light' })),
      ...(await looks(browser, url, 'desktop-dark', { ...desktop, colorScheme: 'dark' })),
      ...(await looks(browser, url, 'phone-light', { ...phone, colorScheme: 'light' })),
      ...(await looks(browser, url, 'phone-dark', { ...phone, colorScheme: 'dark' })),
    ];
    for (const [name, wanted] of Object.entries(searches))
      problems.push(...(await withPage(browser, desktop, (page) => search(page, url, name, wanted))));
    return problems;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Checks each kind of page: highlighted code, nothing wider than the screen, and the reader's colour scheme. */
function looks(browser: Browser, url: string, name: string, options: BrowserContextOptions): Promise<string[]> {
  return withPage(browser, options, async (page) => {
    const problems: string[] = [];
    for (const kind of kinds) {
      await page.goto(url + kind, { waitUntil: 'networkidle' });
      const seen = await page.evaluate(look);
      const complain = (text: string): void => void problems.push(`${name} ${kind}: ${text}`);
      if (seen.width > seen.room) complain(`is ${seen.width} px wide where there are ${seen.room}`);
      if (seen.isDark !== (options.colorScheme === 'dark')) complain('does not have the colours that the reader wants');
      if (seen.brightness > 128 === seen.isDark) complain(`has a background of brightness ${seen.brightness}`);
      if (seen.blocks > 0 && seen.colours < 3) complain(`has code in ${seen.colours} colours`);
      if (seen.blocks === 0 && !withoutCode.includes(kind)) complain('has no code');
      if (seen.wideBlocks > 0) complain(`has ${seen.wideBlocks} code blocks that are wider than their frame`);
      await page.screenshot({ path: join(pictures, `${name}${kind.replaceAll(/\W+/g, '-')}.png`) });
    }
    return problems;
  });
}

interface Seen {
  readonly width: number;
  readonly room: number;
  readonly isDark: boolean;
  readonly brightness: number;
  readonly blocks: number;
  readonly wideBlocks: number;
  readonly colours: number;
}

/** Runs within the page. */
function look(): Seen {
  const words = [...document.querySelectorAll('.vp-code span[style], .vp-code span span')];
  const [red = 0, green = 0, blue = 0] = (getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []).map(
    Number,
  );
  return {
    width: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
    isDark: document.documentElement.classList.contains('dark'),
    brightness: Math.round((red + green + blue) / 3),
    blocks: document.querySelectorAll('div[class*="language-"]:not(.language-text)').length,
    wideBlocks: [...document.querySelectorAll('.vp-doc pre')].filter((pre) => pre.scrollWidth > pre.clientWidth).length,
    colours: new Set(words.map((word) => getComputedStyle(word).color)).size,
  };
}

/** Searches for a name, and opens the first result. */
async function search(page: Page, url: string, name: string, wanted: string): Promise<string[]> {
  await page.goto(url, { waitUntil: 'networkidle' });
  await page.locator('#local-search button').first().click();
  await page.locator('#localsearch-input').fill(name);
  const first = page.locator('#localsearch-list .result').first();
  await first.waitFor();
  await page.screenshot({ path: join(pictures, `search-${name}.png`) });
  await first.click();
  await page.waitForURL((address) => address.pathname !== '/');
  await page.waitForLoadState('networkidle');
  const { pathname, hash } = new URL(page.url());
  // `scope` and `Scope` are equally good.
  if ((pathname + hash).toLowerCase() !== wanted.toLowerCase())
    return [`search: "${name}" leads to ${pathname + hash}, not to ${wanted}`];
  // The address changes before the page does.
  await page.locator('.vp-doc', { hasText: name }).waitFor();
  return [];
}

/** Opens a page. Each console message and each failed request is a problem. */
async function withPage(
  browser: Browser,
  options: BrowserContextOptions,
  work: (page: Page) => Promise<string[]>,
): Promise<string[]> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const noise: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') noise.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => noise.push(`${page.url()}: ${error.message}`));
  page.on('requestfailed', (request) => noise.push(`${request.url()} could not be loaded`));
  page.on('response', (response) => {
    if (response.status() >= 400) noise.push(`${response.url()} gives ${response.status()}`);
  });
  const problems = [...(await work(page)), ...noise];
  // Closing cuts off what the page loads in advance.
  await context.close();
  return problems;
}

/** A web server without features, like those that serve static sites. */
async function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const path = join(site, normalize(decodeURIComponent(pathname)));
    const file = [path, `${path}.html`, join(path, 'index.html')].find(
      (name) => existsSync(name) && extname(name) !== '',
    );
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': types[extname(file ?? '')] ?? 'text/plain' });
    response.end(file === undefined ? 'not found' : readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = await lookAtSite();
  for (const problem of problems) console.log(`  ${problem}`);
  console.log(
    problems.length === 0 ? `  no problems found; screenshots are in ${pictures}` : `  ${problems.length} problems`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}
