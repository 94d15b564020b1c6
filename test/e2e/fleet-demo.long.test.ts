// The demo of the fleet on servers, and without a fleet. Without a server, it brings its own PostgreSQL: fleet-demo.slow.test.ts.
import { describe, expect, it } from 'vitest';
import { nats, postgres, redis, startNats, startPostgres, startRedis } from '../../packages/adapters/test/servers.ts';
import { clean, LONG, runDemo } from './fleet-demo.ts';

describe('the demo of the fleet', { concurrent: true }, () => {
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
});
