// The query of the cookbook against a real PostgreSQL: the server at DATABASE_URL, or one that is installed on this machine. Without
// either, the tests are skipped: PGlite has a single backend, which another one cannot cancel.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isTimeoutError } from '@quiesce/cancellation-token';
import { timeout } from '@quiesce/select';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../../docs/examples/query-with-deadline.ts';

const installed = '/usr/lib/postgresql';
const versions = existsSync(installed) ? readdirSync(installed).map((version) => join(installed, version, 'bin')) : [];
const bin = [...(process.env['PATH'] ?? '').split(delimiter), ...versions].find((folder) =>
  existsSync(join(folder, 'initdb')),
);
const { DATABASE_URL } = process.env;
/** PostgreSQL does not run as root. */
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

let server: ChildProcess | undefined;
let folder: string | undefined;
let pool: pg.Pool;

/** Returns a free port of this machine. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function startServer(from: string): Promise<string> {
  folder = mkdtempSync(join(tmpdir(), 'quiesce-postgres-'));
  if (unprivileged.uid !== undefined) chownSync(folder, unprivileged.uid, unprivileged.gid);
  const data = join(folder, 'data');
  execFileSync(join(from, 'initdb'), ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync'], {
    ...unprivileged,
    cwd: folder,
    stdio: 'ignore',
  });
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'];
  server = spawn(join(from, 'postgres'), args, { ...unprivileged, cwd: folder, stdio: 'ignore' });
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

async function connected(url: string): Promise<pg.Pool> {
  for (;;) {
    const made = new pg.Pool({ connectionString: url, max: 3 });
    made.on('error', () => {});
    try {
      await made.query('select 1');
      return made;
    } catch {
      await made.end();
      if (server?.exitCode !== null && server !== undefined) throw new Error('PostgreSQL has not started');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe.skipIf(DATABASE_URL === undefined && bin === undefined)(
  'the query of the cookbook',
  { timeout: 60_000 },
  () => {
    beforeAll(async () => {
      pool = await connected(DATABASE_URL ?? (await startServer(bin as string)));
    }, 60_000);

    afterAll(async () => {
      await pool.end();
      if (server !== undefined) {
        const ended = new Promise((resolve) => server?.once('exit', resolve));
        server.kill('SIGINT');
        await ended;
      }
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    it('ends on the server at its deadline, and releases its connection', async () => {
      const error = await timeout(200, (token) => query(pool, 'select pg_sleep(60)', token)).catch((reason) => reason);
      expect(isTimeoutError(error)).toBe(true);
      const { rows } = await pool.query(
        "select query from pg_stat_activity where state = 'active' and query like '%pg_sleep%'",
      );
      expect(rows.filter(({ query: text }) => !text.includes('pg_stat_activity'))).toEqual([]);
      expect(pool.idleCount).toBe(pool.totalCount);
    });

    it('returns its rows, or its own failure, within the deadline', async () => {
      const { rows } = await timeout(60_000, (token) => query(pool, 'select 42 as answer', token));
      expect(rows).toEqual([{ answer: 42 }]);
      await expect(timeout(60_000, (token) => query(pool, 'select nothing', token))).rejects.toMatchObject({
        code: '42703',
      });
    });

    it('is the query of the page', () => {
      const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
      expect(read('guide/cookbook/time.md')).toContain(read('examples/query-with-deadline.ts'));
    });
  },
);
