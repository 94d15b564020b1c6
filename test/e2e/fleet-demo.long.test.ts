// The demo of the fleet on further servers, without a server, and without a fleet.
import { describe, expect, it } from 'vitest';
import { nats, redis, startNats, startRedis } from '../../packages/adapters/test/servers.ts';
import { clean, LONG, losesNothingOn, runDemo } from './fleet-demo.ts';

describe('the demo of the fleet', { concurrent: true }, () => {
  losesNothingOn({ variable: 'REDIS_URL', name: 'Redis', program: redis, start: startRedis, scheme: 'redis://' });
  losesNothingOn({ variable: 'NATS_URL', name: 'NATS', program: nats, start: startNats, scheme: 'nats://' });

  it('exits with 0 on PGlite, and says that hints are polled', { timeout: LONG }, async () => {
    const { code, output } = await runDemo([]);
    expect(output).toContain("engine: PGlite on disk, in a process of its own; hints: 'polling'");
    for (const finding of clean) expect(output).toMatch(finding);
    expect(code).toBe(0);
  });

  it('exits with 1 without a fleet, and names the jobs whose cancel never arrived', { timeout: LONG }, async () => {
    const { code, output } = await runDemo(['--without']);
    expect(output).toMatch(/11 of 14 cancelled jobs have stopped; 3 never got it: jobs\/ada.*, jobs\/bob\/11\/1/);
    expect(output).toContain('others         0 of 27 were hit');
    expect(output).toContain('LOST: a message');
    expect(code).toBe(1);
  });
});
