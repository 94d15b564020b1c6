// Every test in Tokio's files has a counterpart here, or a reason why it does not. tests.json is the list. With TOKIO_SOURCE, the path
// of a checkout of Tokio at the recorded commit, the list is compared with Tokio's files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** A title in `counterparts`, a test in another file, a reason why there is none, or `null` when it is missing. */
type Counterpart = string | { readonly file: string; readonly test: string } | { readonly reason: string } | null;

interface Listed {
  /** How many tests the file has at the recorded commit. */
  readonly count: number;
  /** The file with the counterparts. */
  readonly counterparts: string;
  readonly tests: Readonly<Record<string, Counterpart>>;
}

interface List {
  readonly commit: string;
  readonly files: Readonly<Record<string, Listed>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const list: List = JSON.parse(readFileSync(new URL('tokio-tests/tests.json', import.meta.url), 'utf8'));
const tokio = process.env['TOKIO_SOURCE'];

/** Counts the tests of a file that have the title, and run. */
function occurrences(file: string, title: string): number {
  const quoted = title.includes("'") ? `"${title}"` : `'${title}'`;
  const source = readFileSync(join(root, file), 'utf8');
  return ['it(', 'test(', ')('].reduce((sum, call) => sum + source.split(call + quoted).length - 1, 0);
}

/** Returns the names of the tests of a Rust file, with their modules. */
function testsIn(source: string): string[] {
  const names: string[] = [];
  const modules: { readonly indent: number; readonly name: string }[] = [];
  let isTest = false;
  for (const line of source.split('\n')) {
    const indent = line.search(/\S/);
    const module = /^\s*(?:pub )?mod (\w+) \{/.exec(line)?.[1];
    const name = /^\s*(?:pub )?(?:async )?fn (\w+)/.exec(line)?.[1];
    if (module !== undefined) modules.push({ indent, name: module });
    else if (/^\s*\}/.test(line) && modules.at(-1)?.indent === indent) modules.pop();
    else if (/^\s*#\[(?:test|tokio::test|maybe_tokio_test)\b/.test(line)) isTest = true;
    else if (isTest && name !== undefined) {
      names.push([...modules.map((each) => each.name), name].join('::'));
      isTest = false;
    }
  }
  return names;
}

test('the list names 17 files and all 441 of their tests', () => {
  const files = Object.values(list.files);
  expect(files.map(({ tests }) => Object.keys(tests).length)).toEqual(files.map(({ count }) => count));
  expect([files.length, files.reduce((sum, { count }) => sum + count, 0)]).toEqual([17, 441]);
});

describe.each(Object.entries(list.files))('%s', (path, { counterparts, tests }) => {
  test('has a counterpart or a reason for each test', () => {
    const missing = Object.entries(tests).filter(([, counterpart]) => {
      if (counterpart === null) return true;
      if (typeof counterpart === 'string') return occurrences(counterparts, counterpart) !== 1;
      if ('reason' in counterpart) return counterpart.reason.length < 20;
      return occurrences(counterpart.file, counterpart.test) !== 1;
    });
    expect(missing).toEqual([]);
  });

  test.runIf(tokio !== undefined)('is listed as it is in Tokio', () => {
    expect(Object.keys(tests)).toEqual(testsIn(readFileSync(`${tokio}/${path}`, 'utf8')));
  });
});
