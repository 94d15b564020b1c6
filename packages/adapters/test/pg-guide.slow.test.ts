// The programs of the documentation that need a PostgreSQL, against a real one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { sleep } from '@quiesce/select';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fencesOf } from '../../../test/docs/fences.ts';
import { nodeArgs } from '../../../test/programs.ts';
import { postgres, startPostgres, type TestServer } from './servers.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const pages = ['docs/guide/postgresql.md', 'docs/guide/cookbook/time.md', 'packages/adapters/README.md'];
const programs = pages
  .flatMap((page) => fencesOf(page, read(page)))
  .filter(({ note, code }) => note.includes('pg-guide.slow.test.ts') && !code.includes('runMain'));
const folder = `${root}test/.output/postgresql/`;
let server: TestServer;
let url: string;

describe.skipIf(postgres.isMissing)(`programs of the documentation${postgres.note}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
    url = `postgres://postgres@127.0.0.1:${server.port}/postgres`;
    mkdirSync(folder, { recursive: true });
  }, 60_000);

  afterAll(async () => {
    await server?.stop();
  });

  it.each(programs)('$place prints the promised output', async ({ code, place, promised }) => {
    const file = `${folder}${place.replaceAll(/\W+/g, '-')}.ts`;
    writeFileSync(file, code);
    const child = spawn(process.execPath, await nodeArgs(file), { env: { ...process.env, DATABASE_URL: url } });
    child.stderr.pipe(process.stderr);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(promised.length).toBeGreaterThan(0);
    expect(output.trimEnd().split('\n')).toEqual(promised);
  });

  it('the service cancels the query of a client that has gone, and ends on SIGTERM with 0', async () => {
    const file = 'docs/examples/postgresql-service.ts';
    expect(read('docs/guide/postgresql.md')).toContain(read(file));
    const child = spawn(process.execPath, await nodeArgs(`${root}${file}`), {
      env: { ...process.env, DATABASE_URL: url },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const port = (): string | undefined => /port: (\d+)/.exec(output)?.[1];
    while (port() === undefined) await sleep(5);
    const origin = `http://127.0.0.1:${port()}`;
    expect(await (await fetch(origin)).text()).toContain('"time"');

    const observer = new pg.Client(url);
    await observer.connect();
    onTestFinished(() => observer.end());
    const running = async (): Promise<number> => {
      const sql = "select 1 from pg_stat_activity where state = 'active' and query like 'select now() as time%'";
      return (await observer.query(sql)).rows.length;
    };
    const controller = new AbortController();
    const slow = fetch(`${origin}/slow`, { signal: controller.signal });
    slow.catch(() => {});
    while ((await running()) === 0) await sleep(5);
    controller.abort();
    // It would run for a minute.
    while ((await running()) > 0) await sleep(5);

    // As many as the pool has connections. Another request waits for one of them.
    const occupied = Array.from({ length: 10 }, async () => (await fetch(`${origin}/slow`)).status);
    while ((await running()) < 10) await sleep(5);
    const waiting = request(origin, { headers: { Expect: '100-continue' } });
    // The server has received the request.
    await once(waiting, 'continue');
    waiting.end();
    const answered = once(waiting, 'response') as Promise<[IncomingMessage]>;
    child.kill('SIGTERM');
    expect(await Promise.all(occupied)).toEqual(Array(10).fill(503));
    const [answer] = await answered;
    expect(answer.statusCode).toBe(200);
    answer.resume();
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});
