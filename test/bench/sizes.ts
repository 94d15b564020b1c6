// The size of each package, measured by size-limit.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { markdownTable } from 'markdown-table';
import { packages, programs } from '../../.size-limit.js';

/** A package or a program of `.size-limit.js`. */
export interface Size {
  readonly name: string;
  /** Bytes, minified and gzipped. */
  readonly size: number;
  readonly sizeLimit: number;
  readonly passed: boolean;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Measures the built packages. */
export function measureSizes(): Size[] {
  const { stdout, stderr } = spawnSync(process.execPath, ['node_modules/size-limit/bin.js', '--json'], {
    cwd: root,
    encoding: 'utf8',
  });
  const sizes = JSON.parse(stdout) as Size[] | { error: string };
  if (!Array.isArray(sizes)) throw new Error(`size-limit failed: ${sizes.error}\n${stderr}`);
  return sizes;
}

/** Returns the table of sizes. A limit is the budget, or `now` where the budget is not met. */
export function tableOfSizes(sizes: readonly Size[]): string {
  const rows = sizes.map(({ name, size, sizeLimit }) => {
    const { budget = 0, why = '' } = packages[name] ?? programs[name] ?? {};
    return [name, inKilobytes(size), inKilobytes(sizeLimit), inKilobytes(budget), why];
  });
  return markdownTable([['package or program', 'min + gzip', 'limit', 'budget', 'what the budget is for'], ...rows]);
}

/** Formats a size in kB of 1,000 bytes, rounded up to 0.1. */
export function inKilobytes(bytes: number): string {
  return `${(Math.ceil(bytes / 100) / 10).toFixed(1)} kB`;
}
