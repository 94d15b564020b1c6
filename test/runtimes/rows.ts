// One row of the table: a runtime, with the results of all its tests.
import { whyExcluded } from './excluded.ts';
import { ofFile, outside, type Result } from './reporter.ts';

export interface Row {
  id: string;
  name: string;
  version: string;
  /** Whether `using` is the runtime's own. */
  using: 'native' | 'lowered';
  tests: Result[];
  /** Why no test ran, or `undefined`. */
  broken?: string;
}

/**
 * Adds a failure for each file that has fewer or more tests on a runtime than on the first one. A test that a runtime does
 * not declare would otherwise be neither skipped nor counted. The tests of an excluded file count as skipped.
 */
export function holdToFirst([first, ...others]: readonly Row[]): void {
  if (first === undefined) return;
  const wanted = testsByFile(first);
  for (const row of others) {
    const counted = testsByFile(row);
    for (const file of new Set([...wanted.keys(), ...counted.keys()])) {
      const [has, had] = [counted.get(file) ?? 0, wanted.get(file) ?? 0];
      const excluded = has === 0 ? whyExcluded(row.id, file) : undefined;
      if (excluded !== undefined) {
        const tests = first.tests.filter((test) => test.file === file);
        row.tests.push(...tests.map(({ name }): Result => ({ file, name, state: 'skipped', why: excluded })));
        continue;
      }
      if (has === had) continue;
      const why = `it has ${has} tests here and ${had} on ${first.name}`;
      row.tests.push({ file, name: ofFile, state: 'failed', why });
    }
  }
}

function testsByFile({ tests }: Row): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { file, name } of tests) {
    if (name !== ofFile && name !== outside) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return counts;
}
