import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nats, postgres, redis, startNats, startPostgres, startRedis } from '../../packages/adapters/test/servers.ts';

const demo = fileURLToPath(new URL('../../docs/examples/demo.ts', import.meta.url));
/** Only a demo that hangs takes this long. */
const LONG = 600_000;

async function runDemo(args: readonly string[], env: Record<string, string> = {}) {
  const { DATABASE_URL, REDIS_URL, NATS_URL, ...rest } = process.env;
  const all = ['--conditions=built', '--import', 'tsx', demo, '--example', 'fleet', ...args];
  const child = spawn(process.execPath, all, { env: { ...rest, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

/** The findings of a run in which nothing was lost. */
const clean = [
  /cancelled {6}14 of 14 cancelled jobs have stopped/,
  /others {9}0 of 27 were hit/,
  /cut off {8}worker-2 was named silent, and reached when it was back/,
  /lease {10}worker-\d took over from worker-\d; late writes of worker-\d: \d/,
  /drained {8}27 jobs finished, 0 cut off; 0 drains at the same time; exit codes 0, 0, 0/,
  /verdict {8}nothing was lost/,
];

describe('the demo of the fleet', { concurrent: true }, () => {
  it('exits with 0 on PGlite, and says that hints are polled', { timeout: LONG }, async () => {
    const { code, output } = await runDemo([]);
    expect(output).toContain("engine: PGlite on disk, in a process of its own; hints: 'polling'");
    for (const finding of clean) expect(output).toMatch(finding);
    expect(code).toBe(0);
  });

  const servers = [
    {
      variable: 'DATABASE_URL',
      name: 'PostgreSQL',
      program: postgres,
      start: startPostgres,
      scheme: 'postgres://postgres@',
    },
    { variable: 'REDIS_URL', name: 'Redis', program: redis, start: startRedis, scheme: 'redis://' },
    { variable: 'NATS_URL', name: 'NATS', program: nats, start: startNats, scheme: 'nats://' },
  ];
  for (const { variable, name, program, start, scheme } of servers) {
    it.skipIf(program.isMissing)(
      `exits with 0 on the ${name} of ${variable}${program.note}`,
      { timeout: LONG },
      async () => {
        const server = await start();
        try {
          const { code, output } = await runDemo([], { [variable]: `${scheme}127.0.0.1:${server.port}` });
          expect(output).toContain(`engine: the ${name} of ${variable}; hints: 'push'`);
          for (const finding of clean) expect(output).toMatch(finding);
          expect(code).toBe(0);
        } finally {
          await server.stop();
        }
      },
    );
  }

  it('exits with 1 without a fleet, and names the jobs whose cancel never arrived', { timeout: LONG }, async () => {
    const { code, output } = await runDemo(['--without']);
    expect(output).toMatch(/11 of 14 cancelled jobs have stopped; 3 never got it: jobs\/ada.*, jobs\/bob\/11\/1/);
    expect(output).toContain('others         0 of 27 were hit');
    expect(output).toContain('LOST: a message');
    expect(code).toBe(1);
  });

  it('rejects options of the other examples with a message', async () => {
    const { code, output } = await runDemo(['--signal', 'SIGINT']);
    expect(output).toContain('--signal is for --example worker-loop');
    expect(code).toBe(2);
  });
});
