import { describe, expect, it } from 'vitest';
import { clean, LONG, runDemo } from './fleet-demo.ts';

describe('the demo of the fleet', { concurrent: true }, () => {
  it('exits with 0 on PGlite, and says that hints are polled', { timeout: LONG }, async () => {
    const { code, output } = await runDemo([]);
    expect(output).toContain("engine: PGlite on disk, in a process of its own; hints: 'polling'");
    for (const finding of clean) expect(output).toMatch(finding);
    expect(code).toBe(0);
  });

  it('rejects options of the other examples with a message', async () => {
    const { code, output } = await runDemo(['--signal', 'SIGINT']);
    expect(output).toContain('--signal is for --example worker-loop');
    expect(code).toBe(2);
  });
});
