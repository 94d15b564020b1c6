import { describe, expect, it } from 'vitest';
import { clean, LONG, runDemo } from './fleet-demo.ts';

describe('the demo of the fleet', { concurrent: true }, () => {
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

  it('rejects options of the other examples with a message', async () => {
    const { code, output } = await runDemo(['--signal', 'SIGINT']);
    expect(output).toContain('--signal is for --example worker-loop');
    expect(code).toBe(2);
  });
});
