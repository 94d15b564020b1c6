import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { publicPackages, root } from './packages.ts';

/** What a package may weigh, minified and gzipped, with everything of ours that it imports; 1 kB is 1,000 bytes. */
interface Ceiling {
  /** The budget. */
  readonly bytes: number;
  readonly why: string;
  /** Where the budget is not met yet: what it weighs now, which it may not exceed; docs/design.md says why. */
  readonly now?: number;
}

const ceilings: Record<string, Ceiling> = {
  'cancellation-token': {
    bytes: 3_000,
    why: 'the tree, its signals and its deadlines: what every program of ours carries',
    now: 6_200,
  },
  'broadcast-channel': { bytes: 4_500, why: 'the token, and a ring with lag and close', now: 7_600 },
  channel: {
    bytes: 7_500,
    why: 'the token, and 4.5 kB for mpsc, oneshot, watch, semaphore and mutex on one line of waiters',
    now: 10_200,
  },
  select: { bytes: 5_500, why: 'the token, and races that leave nothing behind, with timers', now: 8_400 },
  scope: { bytes: 9_000, why: 'the token, select, and tasks whose cleanup is awaited in order' },
};

describe.each(publicPackages())('the size of $folder', ({ folder, directory }) => {
  const ceiling = ceilings[folder];
  const size = measure(`${directory}/dist/index.js`);

  it('stays below its ceiling', async () => {
    if (ceiling === undefined) throw new Error(`${folder} has no ceiling: add one, with its reason, to this file`);
    const allowed = ceiling.now ?? ceiling.bytes;
    expect(await size, `${allowed} bytes for ${ceiling.why}`).toBeLessThanOrEqual(allowed);
  });

  it('has its debt struck off once the budget is met', async () => {
    if (ceiling?.now !== undefined) expect(await size).toBeGreaterThan(ceiling.bytes);
  });

  it('is what the README says, rounded up to 0.1 kB', async () => {
    const readme = readFileSync(`${root}README.md`, 'utf8');
    const [, said] = new RegExp(`<!-- size:${folder} -->([\\d.]+) kB`).exec(readme) ?? [];
    expect(said).toBe((Math.ceil((await size) / 100) / 10).toFixed(1));
  });
});

async function measure(entry: string): Promise<number> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: `export * from ${JSON.stringify(entry)};`, resolveDir: root },
    conditions: ['built'],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
  });
  return outputFiles.reduce((sum, file) => sum + gzipSync(file.contents, { level: 9 }).length, 0);
}
