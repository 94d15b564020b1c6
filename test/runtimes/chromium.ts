// Finds Chromium, and the arguments that start it.

/** Where distributions install it. CHROMIUM names another path. */
const usual = ['chromium', 'chromium-browser', 'google-chrome'];

/** Throws when there is no Chromium. */
export function chromiumPath(): string {
  const path = findChromium();
  if (path !== undefined) return path;
  throw new Error(
    'there is no chromium: install it (on Debian `apt-get install chromium`), or set CHROMIUM to its path',
  );
}

function findChromium(): string | undefined {
  // No import: the tests of other runtimes load this file, too.
  const { spawnSync } = globalThis.process?.getBuiltinModule?.('node:child_process') ?? {};
  if (spawnSync === undefined) return undefined;
  const named = process.env['CHROMIUM'];
  if (named) return named;
  for (const name of usual) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

/** Whether tests that need a browser are skipped. */
export const isChromiumMissing: boolean = findChromium() === undefined;

/** Added to the name of a test suite, so that its report says why it is skipped. */
export const chromiumNote: string = isChromiumMissing ? ' (skipped, needs: apt-get install chromium)' : '';

/** Without updates, metrics and connections of its own. */
export const quiet: readonly string[] = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  ...['--disable-component-update', '--disable-sync'],
];
