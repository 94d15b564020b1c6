import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { publicPackages, root } from './packages.ts';

// Minified, gzipped, with everything of ours that it imports; 1 kB is 1,000 bytes.
const ceilings: Record<string, { bytes: number; why: string }> = {
  'cancellation-token': {
    bytes: 3_000,
    why: 'the tree, its signals and its deadlines: what every program of ours carries',
  },
  'broadcast-channel': { bytes: 4_500, why: 'the token, and a ring with lag and close' },
  select: { bytes: 5_500, why: 'the token, and races that leave nothing behind, with timers' },
  scope: { bytes: 9_000, why: 'the token, select, and tasks whose cleanup is awaited in order' },
};

test.each(publicPackages())('$folder stays below its ceiling', async ({ folder, directory }) => {
  const ceiling = ceilings[folder];
  if (ceiling === undefined)
    throw new Error(`${folder} has no ceiling: add one, with its reason, to ${import.meta.filename}`);
  const size = await measure(`${directory}/dist/index.js`);
  console.log(`${folder}: ${size} of ${ceiling.bytes} bytes`);
  expect(size, `${ceiling.bytes} bytes for ${ceiling.why}`).toBeLessThanOrEqual(ceiling.bytes);
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
