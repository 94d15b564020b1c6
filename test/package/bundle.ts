// What code weighs, minified and gzipped, with everything of ours that it imports.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './packages.ts';

/** What was built of a package. */
function entryOf(folder: string): string {
  return `${root}packages/${folder}/dist/index.js`;
}

/** The size of a program, in bytes. */
async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    conditions: ['built'],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    // A peer is there already.
    external: ['effect'],
  });
  return outputFiles.reduce((sum, file) => sum + gzipSync(file.contents, { level: 9 }).length, 0);
}

/** The size of a whole package, in bytes. */
export function sizeOfPackage(folder: string): Promise<number> {
  return sizeOf(`export * from ${JSON.stringify(entryOf(folder))};`);
}

/** In kB of 1,000 bytes, rounded up to 0.1, as the README says it. */
export function inKilobytes(bytes: number): string {
  return (Math.ceil(bytes / 100) / 10).toFixed(1);
}
