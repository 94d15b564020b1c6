// The runner itself: nothing may pass, or be left out, without having been seen.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { root } from '../package/packages.ts';
import { bundle, bundleOf, type Kind } from './bundle.ts';
import { differences, expected } from './differences.ts';
import { holdToFirst, type Row } from './execute.ts';
import type { TestFile } from './files.ts';
import { testFiles } from './files.ts';
import type { Outcome, Result } from './inside/main.ts';
import { processes } from './processes.ts';
import type { Session } from './runtimes.ts';

// Processes, and a bundler: on a busy machine that takes long.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const fixture = (name: string): TestFile => ({ path: `test/runtimes/fixtures/${name}.ts`, suite: 'unit' });
const file = fixture('sample');
const kinds: [Kind, Kind, Kind] = [
  { name: 'sample-node', hasNode: true, target: 'es2022' },
  { name: 'sample-web', hasNode: false, target: 'es2022' },
  { name: 'sample-native', hasNode: true, target: 'esnext' },
];

let session: Session;
beforeAll(async () => {
  await Promise.all(kinds.map((kind) => bundle(kind, [file, fixture('broken'), fixture('leaves')])));
  session = await processes({ binary: process.execPath, args: [], withGc: [], ask: 'process.versions.node' });
});
afterAll(() => session.close());

function outcomeOn(kind: Kind, of: TestFile = file, listOnly = false): Promise<Outcome> {
  return session.run(bundleOf(kind, of), of, { timeout: 5_000, listOnly });
}

/** What became of each test; those that failed with the first line of the error. */
function told({ results }: Outcome): Record<string, string> {
  return Object.fromEntries(
    results.map(({ name, state, why = '' }) => [name, `${state} ${why.split('\n')[0]}`.trim()]),
  );
}

const always = {
  passes: 'passed',
  fails: 'failed AssertionError: expected 1 to be 2 // Object.is equality',
  'reads a file that it names': 'passed',
  'is left out by itself': 'skipped the test skips itself here',
  'knows spies and timers': 'passed',
  'a suite whose hook fails > has tests': 'failed Error: no hook',
  disposes: 'passed',
  'lets go of a rejection': 'passed',
};

describe('a bundle of tests', () => {
  it('runs all of them where there is Node', async () => {
    const outcome = await outcomeOn(kinds[0]);
    expect(told(outcome)).toMatchObject({ ...always, 'needs what is not everywhere': 'passed' });
    expect(outcome.errors).toEqual([expect.stringMatching(/^Error: nobody caught this/)]);
  });

  it('skips by name, and with the reason, what a runtime has not got, also if the test hides it', async () => {
    const outcome = await outcomeOn(kinds[1]);
    expect(told(outcome)).toEqual({
      ...always,
      'needs what is not everywhere': 'skipped needs node:async_hooks',
      'hides that it needs it': 'skipped needs node:fs',
      'a suite whose hook needs it > has tests': 'skipped needs node:fs',
    });
    expect(outcome.errors).toEqual([expect.stringMatching(/^Error: nobody caught this/)]);
  });

  it('can be asked for the names alone', async () => {
    const { results } = await outcomeOn(kinds[0], file, true);
    expect(results).toHaveLength(11);
    expect(results.every(({ state }) => state === 'skipped')).toBe(true);
  });
});

describe('a file', () => {
  it('that cannot be loaded by its own mistake has failed, whatever it missed before', async () => {
    for (const kind of [kinds[0], kinds[1]]) {
      const outcome = await outcomeOn(kind, fixture('broken'));
      expect(outcome.missing).toBe(undefined);
      expect(outcome.errors).toEqual([expect.stringMatching(/^Error: its own mistake/)]);
    }
  });

  it('that leaves listeners behind, or a process that fails after its report, has failed', async () => {
    const { errors } = await outcomeOn(kinds[0], fixture('leaves'));
    expect(errors).toEqual([
      expect.stringMatching(/^a listener for unhandledRejection was left behind/),
      expect.stringMatching(/^the process ended with 3 after its report/),
    ]);
  });

  it('has its own `using` where the runtime is to run it, and none where it is not', () => {
    const syntax = /\busing _ =/;
    expect(readFileSync(bundleOf(kinds[2], file), 'utf8')).toMatch(syntax);
    expect(readFileSync(bundleOf(kinds[0], file), 'utf8')).not.toMatch(syntax);
  });

  it('has as many tests on every runtime as on the first', () => {
    const row = (name: string, ...names: string[]): Row => ({
      id: name,
      name,
      version: '1',
      using: 'native',
      took: 0,
      tests: names.map((test) => ({ file: 'a.test.ts', name: test, state: 'passed' })),
    });
    const [first, same, fewer] = [row('A', 'x 1', 'y'), row('B', 'x 2', 'y', '(outside of its tests)'), row('C', 'y')];
    holdToFirst([first, same, fewer]);
    expect([first, same].flatMap(({ tests }) => tests).every(({ state }) => state === 'passed')).toBe(true);
    expect(fewer.tests[1]).toMatchObject({ state: 'failed', why: 'it has 1 tests here and 2 on A' });
  });
});

describe('the files that run on every runtime', () => {
  it('are those of every package and of every suite, and none of a single runtime', () => {
    const files = testFiles();
    const folders = new Set(files.map(({ path }) => path.split('/').slice(0, 2).join('/')));
    for (const folder of ['packages/cancellation-token', 'packages/scope', 'test/conformance', 'test/leak']) {
      expect([...folders]).toContain(folder);
    }
    expect(files.some(({ path }) => /test\/(docs|e2e|package|runtimes)\//.test(path))).toBe(false);
  });
});

describe('a difference that we know', () => {
  const known = { on: ['bun'], file: 'a.test.ts', name: 'differs', why: 'bun: it does' };
  const because = (state: 'passed' | 'failed'): object =>
    expected('bun', 'x/a.test.ts', { name: 'differs', state, why: '' }, [known]);

  it('is a reason to skip a test that fails', () => {
    expect(because('failed')).toMatchObject({ state: 'skipped', why: 'bun: it does' });
  });

  it('is none for another error than the one that it names', () => {
    const narrow = { ...known, error: /differs/ };
    const judged = (why: string): Result =>
      expected('bun', 'x/a.test.ts', { name: 'differs', state: 'failed', why }, [narrow]);
    expect(judged('Error: it differs').state).toBe('skipped');
    expect(judged('Error: something else').state).toBe('failed');
  });

  it.each(differences)('is one of a test that there is: $file, $name', ({ file, name }) => {
    const paths = testFiles().filter(({ path }) => path.endsWith(`/${file}`));
    expect(paths).toHaveLength(1);
    if (name === '(outside of its tests)') return;
    const source = readFileSync(join(root, String(paths[0]?.path)), 'utf8');
    // The beginning of the last name: what stands in front of it, and what a table fills in, need not be literal.
    const last = name.split(' > ').at(-1) ?? '';
    expect(source).toContain(last);
  });

  it('fails once the test passes', () => {
    expect(because('passed')).toMatchObject({ state: 'failed', why: expect.stringMatching(/it passes/) });
  });

  it('means nothing for a file whose folder only ends like that one', () => {
    const result = { name: 'differs', state: 'failed' as const };
    expect(expected('bun', 'packages/my-a/b.test.ts', result, [{ ...known, file: 'a/b.test.ts' }])).toBe(result);
  });

  it('means nothing on another runtime', () => {
    const result = { name: 'differs', state: 'failed' as const };
    expect(expected('deno', 'x/a.test.ts', result, [known])).toBe(result);
  });
});
