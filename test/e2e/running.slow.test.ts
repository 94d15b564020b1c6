// The programs of docs/guide/running.md and docs/guide/kubernetes.md, below real runners, pm2, and as process 1.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { fencesOf, textOf } from '../docs/fences.ts';
import { root } from '../package/packages.ts';

// Below the root, where the programs find the packages. Each has a folder, because a runner watches it.
const folder = `${root}test/.output/running`;
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
/** The environment of a user, and not of npm, which runs the tests. */
const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1', FORCE_COLOR: '0' };

/** Returns the code block of a page with this name in its first line. */
function program(page: string, name: string): string {
  const found = fencesOf(page, textOf(page)).find(({ code }) => code.startsWith(`// ${name}\n`));
  if (found === undefined) throw new Error(`${page} has no program ${name}`);
  return found.code;
}

/** Writes a program of a page into a folder of its own, with everything that it imports. */
async function bundle(page: string, name: string): Promise<string> {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'server.ts'), program(`docs/guide/${page}`, 'server.ts'));
  const output = { outfile: join(target, 'server.mjs'), bundle: true, format: 'esm', platform: 'node' } as const;
  await build({ entryPoints: [join(target, 'server.ts')], ...output, logLevel: 'error' });
  return target;
}

/** A command in a process group of its own, as a terminal starts it. */
class Terminal {
  output = '';
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #changed: () => void = () => {};

  constructor(cwd: string, [command = '', ...args]: readonly string[], more: Record<string, string> = {}) {
    this.#child = spawn(command, args, {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, ...more },
    });
    const read = (chunk: unknown): void => {
      this.output += String(chunk);
      this.#changed();
    };
    this.#child.stdout?.on('data', read);
    this.#child.stderr?.on('data', read);
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** How often a text was printed. */
  count(text: string): number {
    return this.output.split(text).length - 1;
  }

  /** Waits until a text was printed this many times. */
  async sees(text: string, times = 1): Promise<void> {
    while (this.count(text) < times) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  /** Sends Ctrl-C to the whole group. */
  interrupt(): void {
    process.kill(-this.pid, 'SIGINT');
  }

  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

const terminals: Terminal[] = [];
function start(...args: ConstructorParameters<typeof Terminal>): Terminal {
  const terminal = new Terminal(...args);
  terminals.push(terminal);
  return terminal;
}

/** Returns the status of a response, or the error code of the connection. */
function request(port: number, path = '/'): Promise<unknown> {
  return new Promise((resolve) => {
    get({ port, path, agent: false }, (response) =>
      response.resume().once('end', () => resolve(response.statusCode)),
    ).on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

function portIn(output: string): number {
  return Number(/port: (\d+)/.exec(output)?.[1]);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

afterAll(() => {
  for (const terminal of terminals) terminal.kill();
});

describe.concurrent('one Ctrl-C, and a change of the program, drain the service below', () => {
  const runners = {
    'node --watch': [process.execPath, '--watch', 'server.mjs'],
    'tsx watch': [bin('tsx'), 'watch', 'server.mjs'],
    nodemon: [bin('nodemon'), 'server.mjs'],
    'nodemon --signal SIGTERM': [bin('nodemon'), '--signal', 'SIGTERM', 'server.mjs'],
  };

  it.for(Object.entries(runners))('%s', async ([name, command]) => {
    const cwd = await bundle('running.md', name.replaceAll(/\W+/g, '-'));
    const terminal = start(cwd, command);
    await terminal.sees('listening on');
    const answer = request(portIn(terminal.output));
    // The runner watches the file only after it has started the program.
    const change = setInterval(() => utimesSync(join(cwd, 'server.mjs'), new Date(), new Date()), 1_500);
    await terminal.sees('stopped with 0');
    clearInterval(change);
    expect(await answer).toBe(200);
    await terminal.sees('listening on', 2);
    const [stopped, listening] = [terminal.count('stopped with 0'), terminal.count('listening on')];
    terminal.interrupt();
    await terminal.ended;
    expect(terminal.count('stopped with')).toBe(listening);
    expect(terminal.count('stopped with 0')).toBeGreaterThan(stopped);
    expect(terminal.output).not.toContain('forced');
  });
});

it('one Ctrl-C drains both services below concurrently', async () => {
  const cwd = await bundle('running.md', 'concurrently');
  const terminal = start(cwd, [bin('concurrently'), 'node server.mjs', 'node server.mjs']);
  await terminal.sees('listening on', 2);
  terminal.interrupt();
  await terminal.ended;
  expect(terminal.count('stopped with 0')).toBe(2);
});

describe('pm2', () => {
  const home = mkdtempSync(join(tmpdir(), 'quiesce-pm2-'));
  const pm2 = (cwd: string, ...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(bin('pm2'), args, { cwd, env: { ...env, PM2_HOME: home } });

  afterAll(async () => {
    await pm2(folder, 'kill');
    rmSync(home, { recursive: true, force: true });
  });

  it('answers each request that the service has accepted before it stops it', async () => {
    const cwd = await bundle('running.md', 'pm2');
    const config = program('docs/guide/running.md', 'ecosystem.config.cjs').replace('server.js', 'server.mjs');
    writeFileSync(join(cwd, 'ecosystem.config.cjs'), config);
    const port = await freePort();
    await promisify(execFile)(bin('pm2'), ['start', 'ecosystem.config.cjs'], {
      cwd,
      env: { ...env, PM2_HOME: home, PORT: String(port) },
    });
    while ((await request(port)) !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
    const answers: Promise<unknown>[] = [];
    const load = setInterval(() => answers.push(request(port)), 100);
    await pm2(cwd, 'stop', 'shop');
    clearInterval(load);
    const statuses = await Promise.all(answers);
    // The system resets a connection that the service has not accepted when it closes its listener.
    expect(statuses.join(' ')).toMatch(/^(200 )+(ECONNRESET )*ECONNREFUSED( ECONNREFUSED)*$/);
    // A request that was cut off would make it 1.
    expect(readFileSync(join(home, 'logs/shop-error.log'), 'utf8')).toContain('stopped with 0');
  });
});

const unshare = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;
const mayUnshare = spawnSync(unshare[0], [...unshare.slice(1), 'true']).status === 0;

// Left out where the user may not create a process namespace.
it.skipIf(!mayUnshare)('drains on SIGTERM as process 1 of a namespace', async () => {
  const cwd = await bundle('running.md', 'process-1');
  const terminal = start(cwd, [...unshare, process.execPath, 'server.mjs']);
  await terminal.sees('listening on');
  const answer = request(portIn(terminal.output));
  const [child] = readFileSync(`/proc/${terminal.pid}/task/${terminal.pid}/children`, 'utf8').trim().split(' ');
  // The request is in progress for a second.
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.kill(Number(child), 'SIGTERM');
  expect([await answer, await terminal.ended]).toEqual([200, 0]);
  expect(terminal.output).toContain('stopped with 0');
  expect(terminal.output).not.toContain('process 1');
});

it('serves requests while Kubernetes updates its endpoints, and is not ready during that time', async () => {
  const cwd = await bundle('kubernetes.md', 'kubernetes');
  const port = await freePort();
  const terminal = start(cwd, [process.execPath, 'server.mjs'], { PORT: String(port) });
  await terminal.sees('listening');
  expect(await request(port, '/ready')).toBe(200);
  process.kill(terminal.pid, 'SIGTERM');
  await terminal.sees('shutting down: SIGTERM');
  expect(await Promise.all(['/ready', '/live', '/'].map((path) => request(port, path)))).toEqual([503, 200, 200]);
  expect(await terminal.ended).toBe(0);
  expect(await request(port)).toBe('ECONNREFUSED');
  expect(terminal.output).toMatch(/stopped with 0 after 5\.\d s/);
});
