// Starts the servers that the adapters are tested with. Each call starts a process of its own, with its own folder and port.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that a test needs, and that the machine may not have. */
export interface Program {
  readonly path: string | undefined;
  readonly isMissing: boolean;
  /** Added to the name of a test suite, so that its report says why it is skipped. */
  readonly note: string;
}

/** A server process. */
export interface TestServer {
  readonly port: number;
  /** Stops the process without ending its connections, as an unreachable host does. */
  freeze(): void;
  /** Continues after `freeze`. */
  thaw(): void;
  /** Ends the process with SIGKILL, as a crash does. Its folder stays. */
  kill(): Promise<void>;
  /** Starts the server again, on its port and in its folder, after `kill`. */
  restart(): Promise<void>;
  /** Where it stores its data. */
  readonly folder: string;
  /** Ends the process, and removes its folder. */
  stop(): Promise<void>;
}

export const redis: Program = findProgram('redis-server', 'redis-server');
export const nats: Program = findProgram('nats-server', 'nats-server');
export const postgres: Program = findProgram('postgres', 'postgresql');
export const pgbouncer: Program = findProgram('pgbouncer', 'pgbouncer');
/** Contains a broker for the tests of librdkafka, with consumer groups, offsets and rebalances. */
export const kafka: Program = findProgram('kcat', 'kcat');

/**
 * Starts a Redis that stores nothing on disk.
 *
 * @param more more options, which count more than those
 */
export async function startRedis(more: readonly string[] = []): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  return await serverOf(
    () => started(pathOf(redis), [...options, ...more], { cwd: folder }, 'Ready to accept connections'),
    port,
    folder,
  );
}

/** Starts a NATS server with JetStream. */
export async function startNats(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'nats-'));
  const port = await freePort();
  const options = ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', folder];
  return await serverOf(() => started(pathOf(nats), options, { cwd: folder }, 'Server is ready'), port, folder);
}

/** Neither PostgreSQL nor PgBouncer runs as root. The user 65534 is `nobody`. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Initialised data folders, one for each version of PostgreSQL. */
const templates = fileURLToPath(new URL('../../../test/.output/postgres', import.meta.url));

function folderOfNobody(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
  return folder;
}

/**
 * Starts a PostgreSQL with the user `postgres`, who needs no password.
 *
 * @param standbyOf the folder of a stopped server: the new one is a standby with a copy of its data
 */
export async function startPostgres(standbyOf?: string): Promise<TestServer> {
  const folder = folderOfNobody('postgres-');
  const port = await freePort();
  const path = pathOf(postgres);
  const data = join(folder, 'data');
  if (standbyOf === undefined) {
    initialise(path, folder, data);
  } else {
    copyAll(join(standbyOf, 'data'), data);
    writeFileSync(join(data, 'standby.signal'), '');
  }
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
  const options = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const ready = /database system is ready to accept (read-only )?connections/;
  const launch = (): Promise<Started> => started(path, options, { ...nobody, cwd: folder }, ready);
  // After a crash, its child processes take a moment to notice. A server does not start before the last one has ended.
  const launchAgain = (): Promise<Started> =>
    launch().catch((error: Error) => {
      if (!error.message.includes('shared memory block')) throw error;
      return new Promise((resolve) => setTimeout(resolve, 100)).then(launchAgain);
    });
  return await serverOf(launchAgain, port, folder);
}

/**
 * Initialises the data folder of a PostgreSQL. `initdb` takes more than a second of processor time, so it runs once for each version,
 * and a copy of its result serves all others.
 */
function initialise(path: string, folder: string, data: string): void {
  const version = `${path} ${statSync(path).mtimeMs} ${process.getuid?.()}`.replaceAll(/\W+/g, '-');
  const template = join(templates, version);
  if (existsSync(template)) {
    copyAll(template, data);
    return;
  }
  const initdb = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--no-instructions', '--encoding=UTF8'];
  execFileSync(path.replace(/postgres$/, 'initdb'), initdb, { ...nobody, cwd: folder, stdio: 'pipe' });
  // Rename only a complete folder: another process may look for it, or copy its own, at this moment.
  const unfinished = `${template}.${process.pid}`;
  mkdirSync(templates, { recursive: true });
  copyAll(data, unfinished);
  try {
    renameSync(unfinished, template);
  } catch {
    // Another process was faster.
    rmSync(unfinished, { recursive: true });
  }
}

/** Copies a folder with its owner and rights. */
function copyAll(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

/** Starts a PgBouncer in transaction mode before a PostgreSQL. */
export async function startPgBouncer(target: number): Promise<TestServer> {
  const folder = folderOfNobody('pgbouncer-');
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  const settings = ['pool_mode = transaction', 'auth_type = any', 'listen_addr = 127.0.0.1', 'unix_socket_dir ='];
  const database = `postgres = host=127.0.0.1 port=${target} user=postgres`;
  writeFileSync(file, ['[databases]', database, '[pgbouncer]', ...settings, `listen_port = ${port}`].join('\n'));
  return await serverOf(
    () => started(pathOf(pgbouncer), [file], { ...nobody, cwd: folder }, 'process up'),
    port,
    folder,
  );
}

/** Starts a Kafka broker that creates each topic on first use, with four partitions. */
export async function startKafka(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kafka-'));
  const options = ['-P', '-b', 'mock', '-t', 'unused', '-X', 'test.mock.num.brokers=1', '-d', 'mock'];
  let port = 0;
  const launch = async (): Promise<Started> => {
    const child = await started(pathOf(kafka), options, { cwd: folder }, /bootstrap\.servers=127\.0\.0\.1:\d+/);
    port = Number(/:(\d+)$/.exec(child.found)?.[1]);
    return child;
  };
  const server = await serverOf(launch, port, folder, 'SIGKILL');
  // It would wait for its input to end on another signal.
  return { ...server, port };
}

interface Started {
  readonly process: ChildProcess;
  /** The text that said that the server is ready. */
  readonly found: string;
}

function findProgram(name: string, debianPackage: string): Program {
  const folders = (process.env['PATH'] ?? '').split(':');
  const versions = '/usr/lib/postgresql';
  if (existsSync(versions)) folders.push(...readdirSync(versions).map((version) => `${versions}/${version}/bin`));
  // The first one on Debian may be a link to a tool that only root can use.
  const path = folders
    .reverse()
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
  const note = path === undefined ? ` (skipped, needs: apt-get install ${debianPackage})` : '';
  return { path, isMissing: path === undefined, note };
}

function pathOf({ path, note }: Program): string {
  if (path === undefined) throw new Error(`A server is missing${note}`);
  return path;
}

/** Starts a process, and waits until it has printed that it is ready. */
async function started(path: string, args: string[], options: SpawnOptions, ready: string | RegExp): Promise<Started> {
  const child = spawn(path, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  // A test runner that ends early leaves no server behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let output = '';
  const pattern = typeof ready === 'string' ? new RegExp(ready) : ready;
  return await new Promise((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk;
      const found = pattern.exec(output)?.[0];
      if (found !== undefined) resolve({ process: child, found });
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${path} ended with ${code}: ${output}`)));
  });
}

/** PostgreSQL disconnects its clients on SIGINT, and waits for them on SIGTERM. */
async function serverOf(
  launch: () => Promise<Started>,
  port: number,
  folder: string,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<TestServer> {
  let { process: child } = await launch();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill('SIGCONT');
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  return {
    port,
    folder,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    restart: async () => {
      child = (await launch()).process;
    },
    stop: async () => {
      await end(signal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
