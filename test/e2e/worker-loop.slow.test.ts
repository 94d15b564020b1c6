import { describe, expect, it } from 'vitest';
import { drive, lost } from '../../docs/examples/drive.ts';

const ALL_WORKERS = [1, 2, 3, 4, 5];

describe.each(['SIGINT', 'SIGTERM'] as const)('the worker loop on a real %s', (signal) => {
  it('lets every worker leave its loop and clean up, awaits it, and exits with 0', async () => {
    const run = await drive('worker-loop', { signal, ticks: 2 });
    expect(lost(run)).toEqual([]);
    expect([...run.cleanedUp].sort()).toEqual(ALL_WORKERS);
    expect({ code: run.code, killedBy: run.killedBy }).toEqual({ code: 0, killedBy: null });
    expect(run.lines.at(-1)).toBe('main: all workers have stopped');
  });

  it('gives every worker the reason once, and no worker ticks afterwards', async () => {
    const run = await drive('worker-loop', { signal, ticks: 1 });
    const received = run.lines.indexOf(`main: ${signal} received, notified 5 workers`);
    expect(received).toBeGreaterThan(0);
    const after = run.lines.slice(received + 1);
    expect(after.filter((line) => line.includes('iteration '))).toEqual([]);
    for (const id of ALL_WORKERS) {
      const cancelled = after.filter((line) => line.startsWith(`worker ${id}: cancelled`));
      expect(cancelled).toEqual([
        `worker ${id}: cancelled after ${run.iterations.get(id)} iterations by ${signal}, flushing`,
      ]);
      expect(after.indexOf(cancelled[0] ?? '')).toBeLessThan(after.indexOf(`worker ${id}: cleanup complete`));
    }
  });

  it('loses every cleanup without Quiesce, so that the tests above can detect the difference', async () => {
    const run = await drive('worker-loop-without', { signal, ticks: 1 });
    expect(lost(run)).toEqual(ALL_WORKERS);
    expect({ code: run.code, killedBy: run.killedBy }).toEqual({ code: null, killedBy: signal });
  });
});
