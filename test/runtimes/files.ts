// The test files that run on every runtime: those of all packages there are, and those that cross them.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';
import { suites } from '../suites.ts';

/** A file of tests. */
export interface TestFile {
  /** From the root of the clone, with slashes. */
  path: string;
  suite: keyof typeof suites;
}

/** Every test file whose path contains one of `filters`, or simply every one; in the order of suites and names. */
export function testFiles(filters: readonly string[] = []): TestFile[] {
  const all = ['packages', 'test'].flatMap(filesBelow);
  const wanted = (path: string): boolean => filters.length === 0 || filters.some((filter) => path.includes(filter));
  return (Object.keys(suites) as TestFile['suite'][]).flatMap((suite) => {
    const patterns = suites[suite].map(asRegExp);
    return all
      .filter((path) => wanted(path) && patterns.some((pattern) => pattern.test(path)))
      .sort()
      .map((path) => ({ path, suite }));
  });
}

/** Unit tests of what runs everywhere, without those that go through millions of things, random ones, or start processes. */
export function isQuick(path: string): boolean {
  if (!/^packages\/(cancellation-token|select|broadcast-channel|channel|scope)\/test\//.test(path)) return false;
  return !/(deep|epoch|hostile.*|model.*|go-.*|exit|interop-.*|uncaught|stress|laws|cooperation|adversary)\.test\.ts$|\.leak\.ts$/.test(
    path,
  );
}

/** What people wrote: nothing that was installed, built or cached. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [path];
    return /^(node_modules|dist|\..*)$/.test(entry.name) ? [] : filesBelow(path);
  });
}

/** As much of globs as the suites use: `*` within a name, and `**` for folders at any depth. */
function asRegExp(glob: string): RegExp {
  const source = glob.split('**/').map((part) => part.replaceAll('.', '\\.').replaceAll('*', '[^/]*'));
  return new RegExp(`^${source.join('(?:.*/)?')}$`);
}
