// Writes the measured figures into docs/benchmarks.md and the sizes into README.md, so that none of them is edited by hand.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inKilobytes, type Size } from './sizes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The files of benchmarks. */
export const files: readonly string[] = ['token', 'select', 'broadcast', 'channel', 'scope', 'explore'];
/** The versions of Node that are recorded. */
export const nodes: readonly number[] = [20, 24];

/** A block of the page: a table of figures, and the commit that was measured. */
export interface Block {
  /** `token, Node 20`, or `sizes`. */
  readonly key: string;
  /** The day of the measurement. */
  readonly measured: string;
  readonly commit: string;
  /** The day of that commit, so that the age of the block is known without the history. */
  readonly committed: string;
  /** The rows of the table, cell by cell; the first is its head. */
  readonly table: readonly (readonly string[])[];
}

/**
 * Returns the page with a block replaced.
 *
 * @param where the version of Node and the machine, as the block names them
 * @param commit the result of `requireCommitted`
 * @throws Error when the page has no block with this key
 */
export function withBlock(page: string, key: string, where: string, commit: string, table: string): string {
  const today = new Date().toISOString().slice(0, 10);
  const text = `Measured on ${today} on ${where}, at commit ${commit}.\n\n${table}`;
  return replaced(page, new RegExp(`(<!-- recorded: ${key} -->\n\n)[\\s\\S]*?(\n\n<!-- /recorded -->)`), text);
}

export function blocksOf(page: string): Block[] {
  const block =
    /<!-- recorded: (.+?) -->\n\nMeasured on (\S+) .*?, at commit `(\w+)` of (\S+)\.\n\n([\s\S]*?)\n\n<!-- \/recorded -->/g;
  return [...page.matchAll(block)].map(([, key = '', measured = '', commit = '', committed = '', table = '']) => ({
    key,
    measured,
    commit,
    committed,
    table: table.split('\n').map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    ),
  }));
}

/** Returns the README with the given sizes. */
export function withSizes(readme: string, sizes: readonly Size[]): string {
  let text = readme;
  for (const { name, size } of sizes) {
    const said = inKilobytes(size);
    const cell = new RegExp(`(\\n\\| \\[\`(?:@quiesce/)?${name}\`\\].*\\| )[\\d.]+ kB *( \\|\\n)`);
    if (cell.test(text)) text = replaced(text, cell, said.padEnd('min + gzip'.length));
  }
  return text;
}

/** Returns the newest change of the packages' sources that git knows, as an ISO date; `undefined` outside a git repository. */
export function newestChange(): { readonly date: string; readonly isExact: boolean } | undefined {
  try {
    const [date, parent] = git('log', '-1', '--format=%cI %p', '--', 'packages/*/src/**').split(' ');
    if (!date) return undefined;
    // In the oldest commit of a shallow clone, every file seems to have changed.
    return { date, isExact: parent !== undefined || git('rev-parse', '--is-shallow-repository') === 'false' };
  } catch {
    return undefined;
  }
}

/** Returns the day of a commit; `undefined` when this clone does not have the commit. */
export function dayOf(commit: string): string | undefined {
  try {
    return git('show', '-s', '--format=%cs', `${commit}^{commit}`);
  } catch {
    return undefined;
  }
}

/**
 * Returns the current commit and its day, as a block names them.
 *
 * @throws Error when the code differs from that commit
 */
export function requireCommitted(): string {
  const changed = git('status', '--porcelain', '--', 'packages', 'test/bench', 'pnpm-lock.yaml');
  if (changed !== '')
    throw new Error(`A record names the commit that it measured. Commit these changes first:\n${changed}`);
  return git('log', '-1', '--format=`%h` of %cs');
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** Replaces the text between the two groups of the pattern. */
function replaced(text: string, pattern: RegExp, middle: string): string {
  if (!pattern.test(text)) throw new Error(`there is no ${pattern} to write to`);
  return text.replace(pattern, (_, before: string, after: string) => before + middle + after);
}
