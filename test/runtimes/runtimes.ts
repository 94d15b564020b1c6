// The runtimes, in the order of the table.
import type { Kind } from './bundle.ts';
import { chromium } from './chromium.ts';
import type { TestFile } from './files.ts';
import type { Options, Outcome } from './inside/main.ts';
import { install, nodeOf } from './install.ts';
import { processes } from './processes.ts';
import { workerd } from './workerd.ts';

/** A runtime that was found, and runs bundles. */
export interface Session {
  /** As the runtime itself says it. */
  version: string;
  /** Runs one bundle in a place of its own: a process, a page or a worker that nothing ran in before. */
  run(bundle: string, file: TestFile, options: Options): Promise<Outcome>;
  close(): Promise<void>;
}

/** One line of the table. */
export interface Runtime {
  /** By which one asks for it: `npm run runtimes -- bun`. */
  id: string;
  name: string;
  kind: Kind;
  /** Downloads the runtime if it has to, and starts it. */
  open(): Promise<Session>;
}

const lowered: Kind = { name: 'node-es2022', hasNode: true, target: 'es2022' };
const native: Kind = { name: 'node-esnext', hasNode: true, target: 'esnext' };
/** Where `node:http` is not built on `node:net`. */
const ownServers = { '@quiesce/http-drain': 'HTTP servers that are built on node:net, as @quiesce/http-drain does' };
const bun: Kind = { ...native, name: 'bun-esnext', without: ownServers };
const deno: Kind = {
  ...native,
  name: 'deno-esnext',
  without: {
    ...ownServers,
    '@quiesce/worker-pool/node': 'ports that tell of a message at once, as @quiesce/worker-pool/node does',
    'node:child_process': 'Node as a command, for child processes that import TypeScript',
  },
};
const web: Kind = { name: 'web-esnext', hasNode: false, target: 'esnext' };

const node = (major: number, kind: Kind): Runtime => ({
  id: String(major),
  name: `Node ${major}`,
  kind,
  open: () =>
    processes({
      binary: nodeOf(major),
      args: ['--conditions=built'],
      withGc: ['--expose-gc'],
      ask: 'process.versions.node',
    }),
});

/** `using` is native from Node 24 on; what is older gets it turned into try and finally. */
export const runtimes: readonly Runtime[] = [
  node(20, lowered),
  node(22, lowered),
  node(24, native),
  node(26, native),
  {
    id: 'bun',
    name: 'Bun',
    kind: bun,
    open: () =>
      processes({ binary: install('bun', '1.4.5'), args: ['--expose-gc'], withGc: [], ask: 'process.versions.bun' }),
  },
  {
    id: 'deno',
    name: 'Deno',
    kind: deno,
    open: () =>
      processes({
        binary: install('deno', '2.9.6'),
        args: ['run', '--allow-all', '--no-config', '--no-lock', '--node-modules-dir=manual', '--no-check'],
        withGc: ['--v8-flags=--expose-gc'],
        ask: 'process.versions.deno',
      }),
  },
  { id: 'workerd', name: 'workerd', kind: web, open: () => workerd(install('workerd', '1.20261117.1')) },
  { id: 'page', name: 'Chromium page', kind: web, open: () => chromium('page') },
  { id: 'worker', name: 'Chromium worker', kind: web, open: () => chromium('worker') },
];
