// The programs of the guide that need a server, against real ones.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sleep } from '@quiesce/select';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fencesOf } from '../../../test/docs/fences.ts';
import { nodeArgs } from '../../../test/programs.ts';
import { postgres, redis, startPostgres, startRedis, type TestServer } from '../../adapters/test/servers.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const programs = fencesOf('docs/guide/cookbook/fleet.md', read('docs/guide/cookbook/fleet.md')).filter(({ note }) =>
  note.includes('fleet/test/guide.slow.test.ts'),
);
const service = 'docs/examples/fleet-service.ts';
const folder = `${root}test/.output/fleet-guide/`;
const isMissing = postgres.isMissing || redis.isMissing;
let servers: TestServer[] = [];
let env: Record<string, string>;

describe.skipIf(isMissing)(`programs of the guide${postgres.note}${redis.note}`, () => {
  beforeAll(async () => {
    servers = [await startPostgres(), await startRedis()];
    const [database, cache] = servers.map(({ port }) => port);
    env = {
      DATABASE_URL: `postgres://postgres@127.0.0.1:${database}/postgres`,
      REDIS_URL: `redis://127.0.0.1:${cache}`,
    };
    mkdirSync(folder, { recursive: true });
  }, 120_000);

  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  it('has the three recipes that need a server', () => {
    expect(programs.length).toBe(3);
  });

  it.each(programs)('$place prints the promised output', async ({ code, place, promised }) => {
    const file = `${folder}${place.replaceAll(/\W+/g, '-')}.ts`;
    writeFileSync(file, code);
    const { ended, outputOf } = await start(file);
    expect([await ended, outputOf()]).toEqual([[0, null], promised.map((line) => `${line}\n`).join('')]);
  });

  it('the service cancels a report that runs in another process, and ends on SIGTERM with 0', async () => {
    expect(read('docs/guide/fleet.md')).toContain(read(service));
    const [one, other] = [await start(`${root}${service}`), await start(`${root}${service}`)];
    const [running, cancelling] = [await originOf(one), await originOf(other)];
    const report = fetch(`${running}/42/1`).then(async (answer) => [answer.status, await answer.text()]);
    // Before the report has started, the receipt says that there is nobody. Then the report is refused.
    const receipt = await (await fetch(`${cancelling}/42`, { method: 'DELETE' })).json();
    expect(receipt).toMatchObject({ key: 'reports/42', lost: [] });
    expect(receipt.state).toMatch(/^(?:ended|nobody)$/);
    const [json] = fencesOf('docs/guide/fleet.md', read('docs/guide/fleet.md')).filter(
      ({ language }) => language === 'json',
    );
    expect(shapeOf(receipt)).toEqual(shapeOf(JSON.parse(json?.code ?? '')));
    expect(await report).toEqual([409, 'stopped by user']);
    one.child.kill('SIGTERM');
    other.child.kill('SIGTERM');
    expect([await one.ended, await other.ended]).toEqual([
      [0, null],
      [0, null],
    ]);
  });
});

/** Returns the names of the fields, in their order. */
function shapeOf(receipt: { readonly nodes: readonly object[] }): string[][] {
  return [receipt, ...receipt.nodes].map((part) => Object.keys(part));
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  outputOf(): string;
}

async function start(file: string): Promise<Running> {
  const child = spawn(process.execPath, await nodeArgs(file), { env: { ...process.env, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stderr.pipe(process.stderr);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return { child, ended: once(child, 'close'), outputOf: () => output };
}

async function originOf({ child, outputOf }: Running): Promise<string> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the service has ended with ${child.exitCode}`);
    const [, port] = /port: (\d+)/.exec(outputOf()) ?? [];
    if (port !== undefined) return `http://127.0.0.1:${port}`;
    await sleep(5);
  }
}
