// Finds Chromium, and the arguments that start it.
import { spawnSync } from 'node:child_process';

/** Where distributions install it. CHROMIUM names another path. */
const usual = ['chromium', 'chromium-browser', 'google-chrome'];

export function chromiumPath(): string {
  const named = process.env['CHROMIUM'];
  if (named) return named;
  for (const name of usual) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  throw new Error(
    'there is no chromium: install it (on Debian `apt-get install chromium`), or set CHROMIUM to its path',
  );
}

/** Without updates, metrics and connections of its own. */
export const quiet: readonly string[] = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  ...['--disable-component-update', '--disable-sync'],
];
