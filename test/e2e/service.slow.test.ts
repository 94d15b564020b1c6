// Runs the demo service in a process of its own under a short load, and sends SIGTERM during the load.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatLogEvent } from '@quiesce/shutdown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChild } from '../../docs/examples/service/demo/child.ts';
import { drive, type Outcome } from '../../docs/examples/service/demo/drive.ts';
import type { Fault } from '../../docs/examples/service/demo/faults.ts';
import { linesOf, shapeOf } from '../../docs/examples/service/demo/picture.ts';
import { openPostgres, type Postgres } from '../../docs/examples/service/demo/postgres.ts';
import { compare, findings, verdict } from '../../docs/examples/service/demo/verdict.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// The time limit of a test: an embedded database starts in three seconds, and on a busy machine in sixty.
const PATIENCE = 240_000;
let postgres: Postgres;

beforeAll(async () => {
  postgres = await openPostgres();
}, PATIENCE);

afterAll(() => postgres.close(), PATIENCE);

/**
 * Runs the service under load for a second. The few connections end long before the deadline of five seconds, which some of these
 * tests reach on purpose, also on a busy machine. Returns the outcome and the log. */
async function run(fault?: Fault, isWithout = false): Promise<{ outcome: Outcome; bad: string[]; said: string }> {
  const said: string[] = [];
  const plan = { seconds: 1, connections: 5, isWithout, fault };
  const outcome = await drive(plan, postgres, {
    say: (source, text) => said.push(`${source}: ${text}`),
    log: (event) => said.push(formatLogEvent(event)),
  });
  const bad = findings(outcome)
    .filter(({ isGood }) => !isGood)
    .map(({ label }) => label);
  return { outcome, bad, said: said.join('\n') };
}

describe('the demo service', { timeout: PATIENCE }, () => {
  it('loses nothing with a hook that hangs, names the hook, and exits with 1', async () => {
    const { outcome, bad, said } = await run('hook');
    expect(outcome.ended).toMatchObject({ code: 1, signal: null });
    expect(bad).toEqual(['process']);
    expect(said).toMatch(/hook metrics: timed out/);
    expect(verdict(outcome).text).toBe('nothing was lost, but these checks failed: process');
  });

  it('exits with 143 at a second SIGTERM, and still closes its connections', async () => {
    const { outcome, said } = await run('signal');
    expect(outcome.ended).toMatchObject({ code: 143, signal: null });
    expect(said).toContain('forced by SIGTERM');
    expect(outcome.sessions.dropped).toBe(0);
    expect(outcome.isPortFree).toBe(true);
  });

  it('cuts off only a client that never reads, and names it', async () => {
    const { outcome, bad, said } = await run('client');
    expect(outcome.ended).toMatchObject({ code: 1, signal: null });
    expect(bad).toEqual(['process']);
    expect(said).toContain('1 cut off (GET /events)');
    expect(said).toContain('cut off: http (1 in flight)');
    // It had a second to stop before it was destroyed, and was awaited: nothing is left behind.
    expect(said).not.toMatch(/never finished/);
  });

  it('waits no longer than its limit for a job that ignores its cancellation, and names it', async () => {
    const { outcome, said } = await run('job');
    const [stuck] = outcome.acknowledged;
    expect(outcome.ended).toMatchObject({ code: 1, signal: null });
    expect(said).toContain(`job ${stuck} ignores its token`);
    expect(said).toMatch(/never finished: jobs \(1 in flight\)/);
    expect(compare(outcome.acknowledged, outcome.recorded)).toMatchObject({ missing: 1, repeated: 0, unknown: 0 });
    expect(outcome.acknowledged.filter((id) => !outcome.recorded.includes(id))).toEqual([stuck]);
  });

  it('answers 503 with Retry-After to a client that waited for room until the deadline', async () => {
    await postgres.prepare();
    const env = { DATABASE_URL: postgres.url, PORT: '0', CONCURRENCY: '1', QUEUE: '0', DRAIN_TIMEOUT: '500' };
    const said: string[] = [];
    const service = startChild('start', { env, onLine: (line) => said.push(line) });
    const url = await service.first((line) => /^listening on (http:\S+),/.exec(line)?.[1]);
    const post = (takes: number): Promise<Response> => {
      const headers = { 'content-type': 'application/json', connection: 'close' };
      return fetch(`${url}/jobs`, { method: 'POST', headers, body: JSON.stringify({ note: '', takes }) });
    };
    expect((await post(600_000)).status).toBe(202);
    const waiting = post(0);
    // The request has been received when a later one of another connection has been answered.
    await fetch(`${url}/ready`, { headers: { connection: 'close' } });
    service.process.kill('SIGTERM');
    const { status, headers } = await waiting;
    expect([status, headers.get('retry-after'), headers.get('connection')]).toEqual([503, '1', 'close']);
    expect(await service.ended).toMatchObject({ code: 1, signal: null });
    expect(said.join('\n')).toMatch(/0 done, 1 cancelled, 0 never started/);
    expect(await postgres.ids()).toEqual([]);
  });

  it('loses jobs and connections without a listener for the signal, so that the tests above can detect the difference', async () => {
    const { outcome, bad } = await run(undefined, true);
    expect(outcome.ended).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(compare(outcome.acknowledged, outcome.recorded).missing).toBeGreaterThan(0);
    expect(outcome.counts.reset + outcome.counts.cut).toBeGreaterThan(0);
    expect(outcome.sessions.dropped).toBeGreaterThan(0);
    expect(bad).toEqual(expect.arrayContaining(['jobs', 'events', 'database', 'process']));
    expect(verdict(outcome).text).toMatch(/^LOST: \d+ acknowledged jobs/);
  });
});

/** Runs the command of the README. */
async function demo(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--conditions=built', '--import', 'tsx', 'docs/examples/demo.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

describe.concurrent('npm run demo', { timeout: PATIENCE }, () => {
  it('loses nothing, prints the figures, exits with 0, and matches the picture in the README', async () => {
    const { code, output } = await demo(['--seconds', '3', '--connections', '50']);
    expect(output).toMatch(/✓ jobs +([\d,]+) acknowledged: \1 in the database once, 0 never, 0 twice\n/);
    // Each client connects again until the system refuses it. A client that was reset on arrival may be refused twice.
    const refused = /✓ connections +\d+ accepted, 0 reset; newcomers: \d+ reset and (\d+) refused by the system\n/;
    expect(Number(refused.exec(output)?.[1])).toBeGreaterThanOrEqual(50);
    expect(output).toMatch(/✓ answers +[\d,]+ complete, 0 cut or missing/);
    expect(output).toMatch(/✓ events +3 of 3 listeners received all/);
    expect(output).toMatch(/✓ database +8 connections opened, 8 closed in order, 0 dropped/);
    expect(output).toMatch(/✓ process +exit code 0/);
    expect(output).toMatch(/✓ port +\d+ is free/);
    expect(output).toMatch(/✓ verdict +nothing was lost\n/);
    expect(code).toBe(0);

    const picture = /!\[[^\]]+\]\((docs\/[^)]+\.svg)\)/.exec(readFileSync(`${root}README.md`, 'utf8'))?.[1];
    const shown = readFileSync(root + picture, 'utf8');
    expect(shapeOf(linesOf(shown))).toEqual(shapeOf(output.split('\n')));
  });

  it('names DATABASE_URL when no server answers there', async () => {
    const { code, output } = await demo([], { DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect(output).toMatch(/Error: no server answers at DATABASE_URL: .*ECONNREFUSED/);
    expect(code).toBe(1);
  });

  it.each([
    [['--seconds', 'many'], '--seconds takes a number from 0.1 to 600, got "many"'],
    [['--seconds', '-1'], "Option '--seconds' argument is ambiguous"],
    [['--connections', '0'], '--connections takes a number from 1 to 2000, got "0"'],
    [['--connections', '1.5'], '--connections takes a whole number, got 1.5'],
    [['--fault', 'fire'], '--fault takes hook, signal, client or job, got "fire"'],
    [['--without', '--fault', 'hook'], '--fault is for the service with Quiesce'],
    [['--example', 'none'], '--example takes service, worker-loop or fleet, got "none"'],
    [['--signal', 'SIGINT'], '--signal is for --example worker-loop'],
    [['--example', 'worker-loop', '--seconds', '3'], '--seconds is for --example service'],
    [['--loud'], "Unknown option '--loud'; it takes --example, --without, --seconds"],
  ])('rejects %j with a message', async (args, sentence) => {
    const { code, output } = await demo(args);
    expect(output).toContain(`demo: ${sentence}`);
    expect(code).toBe(2);
  });
});
