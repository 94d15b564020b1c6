// Rehearses a release from end to end, without releasing anything. In a copy of the project, changesets bumps the versions. The
// packages are published as docs/contributing.md describes, but to a registry on this machine. Each package manager installs them
// from there into a new project, which imports and runs them. The registry holds only packages of this project and those that they
// depend on: any other dependency would fail.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pnpm } from '../run/install.mjs';
import { foreignPackages, packAll, tarballOf } from './pack.ts';
import { type Manifest, publicPackages, root } from './packages.ts';
import { openRegistry } from './registry.ts';

const packages = publicPackages();
const names = packages.map(({ manifest }) => manifest.name);
/** The packages that a fresh project installs: all without a required peer, which this registry does not have. */
const installed = packages.filter(({ manifest }) => !needsPeers(manifest)).map(({ manifest }) => manifest.name);
/** The adapters have no main entry, and their subpaths need a peer. */
const importable = installed.filter((name) => name !== '@quiesce/adapters');
const folder = mkdtempSync(join(tmpdir(), 'quiesce-release-'));
const copy = join(folder, 'project');

/** The program of a fresh project: it uses every package, and prints a last line. */
const program = `
import { CancellationToken } from '@quiesce/cancellation-token';
import { broadcast } from '@quiesce/broadcast-channel';
import { channel } from '@quiesce/channel';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
for (const name of ${JSON.stringify(importable)}) {
  // Bun and Deno refuse this entry with a message.
  const refusal = globalThis.Bun && name === '@quiesce/http-drain' ? 'cannot be loaded elsewhere' : undefined;
  try {
    if (Object.keys(await import(name)).length === 0) throw new Error(name + ' exports nothing');
    if (refusal !== undefined) throw new Error(name + ' does not refuse');
  } catch (error) {
    if (refusal === undefined || !error.message.includes(refusal)) throw error;
  }
}
const stop = new CancellationToken();
const [news, inbox] = broadcast(4);
const [tx, rx] = channel(1);
const heard = [];
const service = scope((s) => {
  s.spawn(async (token) => {
    for (;;) {
      const next = await select.biased({ news: inbox, stopped: token, late: sleep(60_000) });
      if (next.branch !== 'news') return void (await tx.send(next.value));
      heard.push(next.value);
    }
  });
}, { signal: stop });
news.send('hello');
stop.cancel('deploy');
await service;
heard.push(await rx.recv());
console.log(heard.join(', '));
`;
const expected = 'hello, deploy';

try {
  await rehearse();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function rehearse(): Promise<void> {
  packAll();
  copyProject();
  const version = await bump();
  const registry = await openRegistry(join(folder, 'registry'));
  try {
    await publish(registry.url);
    console.log(`  ${packages.length} packages published as ${version} to ${registry.url}`);
    // All managers are awaited, also after one has failed, because they use the folder and the registry.
    const outcomes = await Promise.allSettled(managers(registry.url).map((manager) => consume(manager, version)));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') process.exitCode = 1;
      console.log(`  ${outcome.status === 'fulfilled' ? outcome.value : `FAILED: ${outcome.reason}`}`);
    }
  } finally {
    await registry.close();
  }
}

/** Copies the parts of the project that a release needs. The packages see each other's copies, not the originals. */
function copyProject(): void {
  for (const file of [
    'package.json',
    'pnpm-workspace.yaml',
    'pnpm-lock.yaml',
    'LICENSE',
    '.changeset',
    'test/bench/package.json',
    'test/package/publishable.mjs',
  ]) {
    cpSync(join(root, file), join(copy, file), { recursive: true });
  }
  for (const name of readdirSync(join(root, 'packages'))) {
    const isOurs = (path: string): boolean => !/[\\/](node_modules|src|test)$/.test(path);
    cpSync(join(root, 'packages', name), join(copy, 'packages', name), { recursive: true, filter: isOurs });
  }
  for (const name of readdirSync(join(copy, 'packages'))) {
    const { dependencies = {} } = manifestOf(name);
    const scope = join(copy, 'packages', name, 'node_modules/@quiesce');
    mkdirSync(scope, { recursive: true });
    for (const needed of Object.keys(dependencies)) {
      const [owner, short = ''] = needed.split('/');
      if (owner === '@quiesce') symlinkSync(join(copy, 'packages', short), join(scope, short), 'junction');
    }
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
}

/** Whether a package needs a peer, which the registry of the rehearsal does not have. */
function needsPeers({ peerDependencies = {}, peerDependenciesMeta = {} }: Manifest): boolean {
  return Object.keys(peerDependencies).some((name) => peerDependenciesMeta[name]?.optional !== true);
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(copy, 'packages', name, 'package.json'), 'utf8')) as Manifest;
}

/** A changeset for one package bumps all packages, because they share one version. */
async function bump(): Promise<string> {
  const before = manifestOf('select').version;
  writeFileSync(join(copy, '.changeset/rehearsal.md'), `---\n'@quiesce/select': minor\n---\n\nA rehearsal.\n`);
  const git = ['-c', 'user.name=rehearsal', '-c', 'user.email=rehearsal@localhost', '-c', 'commit.gpgsign=false'];
  await run('git', ['init', '--quiet'], copy);
  await run('git', ['add', '.changeset'], copy);
  await run('git', [...git, 'commit', '--quiet', '--no-verify', '-m', 'rehearsal'], copy);
  const bin = createRequire(join(root, 'package.json')).resolve('@changesets/cli/bin.js');
  await run(process.execPath, [bin, 'version'], copy);
  const versions = new Set(packages.map((found) => manifestOf(found.folder).version));
  const [version = ''] = versions;
  if (versions.size !== 1 || version === before)
    throw new Error(`the versions should be one new one: ${[...versions].join(', ')}`);
  const log = readFileSync(join(copy, 'packages/select/CHANGELOG.md'), 'utf8');
  if (!log.includes(`## ${version}`) || !log.includes('A rehearsal.'))
    throw new Error('the CHANGELOG does not say what is new');
  return version;
}

/** Without provenance, which only a build server can attest. Any token works, because permissions are not rehearsed. */
async function publish(url: string): Promise<void> {
  const args = pnpm('--recursive', 'publish', '--no-git-checks', '--provenance=false', `--registry=${url}`);
  const token = { [`npm_config_${url.replace('http:', '')}:_authToken`]: 'rehearsal' };
  await run('npm', args, copy, token);
  for (const found of foreignPackages()) {
    const publishing = ['publish', tarballOf(found), '--ignore-scripts', '--provenance=false', `--registry=${url}`];
    await run('npm', publishing, copy, token);
  }
  const known = await Promise.all(names.map(async (name) => (await fetch(url + name.replace('/', '%2f'))).ok));
  const missing = names.filter((_, index) => known[index] !== true);
  if (missing.length > 0) throw new Error(`not published: ${missing.join(', ')}`);
}

interface Manager {
  readonly name: string;
  /** Files that configure the manager for the registry. */
  readonly files: Record<string, string>;
  readonly install: readonly string[];
  readonly run: readonly string[];
}

/** Each manager gets the registry in its own configuration, not in an .npmrc: npm, which installs the managers, would read that too. */
function managers(url: string): Manager[] {
  const plain = ['exec', '--', 'node', 'main.mjs'];
  const cache = (name: string): string => join(folder, 'caches', name);
  const tool = (name: string, ...args: string[]): string[] => [
    'exec',
    '--yes',
    '--prefer-offline',
    `--package=${name}`,
    '--',
    ...args,
  ];
  const bun = tool('bun@1.4.5', 'bun');
  const yarn = tool('@yarnpkg/cli-dist@4.18.1', 'yarn');
  return [
    {
      name: 'npm',
      files: {},
      install: ['install', '--no-audit', '--no-fund', `--registry=${url}`, `--cache=${cache('npm')}`],
      run: plain,
    },
    {
      name: 'pnpm',
      files: {},
      install: pnpm(
        'install',
        `--registry=${url}`,
        `--store-dir=${cache('pnpm')}`,
        `--config.cache-dir=${cache('pnpm-meta')}`,
      ),
      run: plain,
    },
    {
      name: 'yarn',
      files: {
        'yarn.lock': '',
        '.yarnrc.yml': JSON.stringify({
          npmRegistryServer: url,
          unsafeHttpWhitelist: ['127.0.0.1'],
          globalFolder: cache('yarn'),
          enableGlobalCache: false,
          enableImmutableInstalls: false,
          enableTelemetry: false,
          // The manager must accept versions that were published a moment ago.
          npmMinimalAgeGate: 0,
        }),
      },
      install: [...yarn, 'install'],
      run: [...yarn, 'node', 'main.mjs'],
    },
    {
      name: 'bun',
      files: { 'bunfig.toml': `[install]\nregistry = "${url}"\ncache = ${JSON.stringify(cache('bun'))}\n` },
      install: [...bun, 'install'],
      run: [...bun, 'main.mjs'],
    },
  ];
}

/** A fresh project: it installs all packages, and runs a program that uses them. */
async function consume(manager: Manager, version: string): Promise<string> {
  const start = performance.now();
  const project = join(folder, `with-${manager.name}`);
  mkdirSync(project);
  const dependencies = Object.fromEntries(installed.map((name) => [name, `^${version}`]));
  const files = {
    'package.json': JSON.stringify({ name: 'fresh', private: true, dependencies }),
    'main.mjs': program,
    ...manager.files,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  await run('npm', manager.install, project);
  const output = await run('npm', manager.run, project);
  if (output.trim().split('\n').at(-1) !== expected)
    throw new Error(`${manager.name}: expected "${expected}", got "${output}"`);
  return `${manager.name}: installed, imported and run in ${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** Runs a program to its end. */
async function run(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const running = promisify(execFile)(file, args, {
    cwd,
    // Not in a folder where Node would find packages of the project.
    env: { ...process.env, ...env, NODE_PATH: '', NO_COLOR: '1', CI: '1', npm_config_update_notifier: 'false' },
    shell: process.platform === 'win32',
    timeout: 120_000,
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  // A program that prompts must not wait for an answer.
  running.child.stdin?.end();
  try {
    return (await running).stdout;
  } catch (error) {
    const { message, stdout } = error as Error & { stdout?: string };
    throw new Error(`in ${cwd}: ${message}\n${stdout}`, { cause: error });
  }
}
