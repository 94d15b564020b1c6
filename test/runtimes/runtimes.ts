// The runtimes, in the order of the table, and the command that runs vitest on each.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { chromiumPath } from './chromium.ts';
import { install, nodeOf } from './install.ts';

/** One row of the table. */
export interface Runtime {
  /** The argument that selects it: `npm run runtimes -- bun`. */
  id: string;
  name: string;
  /** Whether tests run with the runtime's own `using`, or with try and finally. */
  using: 'native' | 'lowered';
  /** Returns the command that runs vitest, followed by its arguments. Installs the runtime when it is missing. */
  command(): readonly [binary: string, ...args: string[]];
  /** Returns the version of the runtime that runs the tests. */
  version(): string;
}

const node = (major: number): Runtime => ({
  id: String(major),
  name: `Node ${major}`,
  // Node has `using` from version 24 on.
  using: major < 24 ? 'lowered' : 'native',
  command: () => [nodeOf(major), '--conditions=built'],
  version: () => output(nodeOf(major), '--version').slice(1),
});

const bun = (): string => install('bun', '1.4.5');
const deno = (): string => install('deno', '2.9.6');

/** vitest itself runs on Node here. The pool of workerd needs Node 22. */
const onNode = (): [string, string] => [nodeOf(24), '--conditions=built'];
const inChromium = {
  using: 'native' as const,
  command: onNode,
  version: () => /[\d.]+/.exec(output(chromiumPath(), '--version'))?.[0] ?? '',
};

export const runtimes: readonly Runtime[] = [
  node(20),
  node(22),
  node(24),
  node(26),
  {
    id: 'bun',
    name: 'Bun',
    using: 'native',
    command: () => [bun(), '--bun', '--conditions=built', '--expose-gc'],
    version: () => output(bun(), '--version'),
  },
  {
    id: 'deno',
    name: 'Deno',
    using: 'native',
    command: () => [
      deno(),
      ...['run', '--allow-all', '--no-config', '--no-lock', '--node-modules-dir=manual', '--no-check'],
      ...['--conditions=built', '--v8-flags=--expose-gc'],
    ],
    version: () => /[\d.]+/.exec(output(deno(), '--version'))?.[0] ?? '',
  },
  { id: 'workerd', name: 'workerd', using: 'native', command: onNode, version: versionOfWorkerd },
  { id: 'page', name: 'Chromium page', ...inChromium },
  { id: 'worker', name: 'Chromium worker', ...inChromium },
];

/** The version on which its pool for vitest depends. */
function versionOfWorkerd(): string {
  const pool = import.meta.resolve('@cloudflare/vitest-plugin');
  const miniflare = createRequire(pool).resolve('miniflare');
  return (createRequire(miniflare)('workerd/package.json') as { version: string }).version;
}

function output(binary: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(binary, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${binary} does not start: ${error?.message ?? stderr.trim().split('\n')[0]}`);
  return stdout.trim();
}
