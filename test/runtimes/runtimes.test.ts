// The results of a runtime: a test must not pass or disappear unnoticed.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { root } from '../package/packages.ts';
import { differences, judge } from './differences.ts';
import { outside, type Report, type Result } from './reporter.ts';
import { holdToFirst, type Row } from './rows.ts';

// vitest runs in a child process, which is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** Runs the fixtures with the stand-ins of a runtime. */
async function run(id: string): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-runtimes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = join(folder, 'report.json');
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/runtimes/fixtures/vitest.config.ts'];
  const env = { ...process.env, QUIESCE_RUNTIME: id, QUIESCE_REPORT: report };
  // Some fixtures fail, so vitest ends with 1.
  await expect(promisify(execFile)(process.execPath, args, { cwd: root, env })).rejects.toMatchObject({ code: 1 });
  return JSON.parse(readFileSync(report, 'utf8')) as Report;
}

/** Returns the result of each test of a fixture, with the first line of the error of a failed test. */
function resultsOf({ results }: Report, fixture: string): Record<string, string> {
  return Object.fromEntries(
    results
      .filter(({ file }) => file.endsWith(`/${fixture}.ts`))
      .map(({ name, state, why = '' }) => [name, `${state} ${why.split('\n')[0]}`.trim()]),
  );
}

const always = {
  passes: 'passed',
  fails: 'failed AssertionError: expected 1 to be 2 // Object.is equality',
  'reads a file that it names': 'passed',
  'is skipped': 'skipped the test skips itself here',
  'knows spies and timers': 'passed',
  'a suite whose hook fails > has tests': 'failed Error: no hook',
  disposes: 'passed',
  'leaves a rejection unhandled': 'passed',
  '(outside of its tests)': 'failed Error: uncaught',
};

describe('a report', () => {
  it('contains every test on Node, and errors outside of tests', async () => {
    const report = await run('20');
    expect(report.hasFailed).toBe(true);
    expect(resultsOf(report, 'sample')).toEqual({
      ...always,
      'needs a missing feature': 'passed',
      'hides the error of a missing feature': 'passed',
      'a suite whose hook needs a missing feature > has tests': 'passed',
    });
  });

  it('skips a test with the name of the missing feature, also when the test hides the error', async () => {
    const report = await run('page');
    expect(resultsOf(report, 'sample')).toEqual({
      ...always,
      'needs a missing feature': 'skipped needs node:async_hooks',
      'hides the error of a missing feature': 'skipped needs node:fs',
      'a suite whose hook needs a missing feature > has tests': 'skipped needs node:fs',
    });
    expect(resultsOf(report, 'broken')).toEqual({ '(the file)': 'failed Error: its own mistake' });
  });
});

describe('a row of the table', () => {
  it('fails a file that has fewer tests than on the first runtime', () => {
    const row = (name: string, ...names: string[]): Row => ({
      id: name,
      name,
      version: '1',
      using: 'native',
      tests: names.map((test) => ({ file: 'a.test.ts', name: test, state: 'passed' })),
    });
    const [first, same, fewer] = [row('A', 'x 1', 'y'), row('B', 'x 2', 'y', '(outside of its tests)'), row('C', 'y')];
    holdToFirst([first, same, fewer]);
    expect([first, same].flatMap(({ tests }) => tests).every(({ state }) => state === 'passed')).toBe(true);
    expect(fewer.tests[1]).toMatchObject({ state: 'failed', why: 'it has 1 tests here and 2 on A' });
  });

  it('counts the tests of an excluded file as skipped, with the reason', () => {
    const file = 'packages/testing/test/search.test.ts';
    const row = (id: string, ...tests: Result[]): Row => ({ id, name: id, version: '1', using: 'native', tests });
    const rows = [
      row('20', { file, name: 'a', state: 'passed' }, { file, name: 'b', state: 'passed' }),
      row('bun'),
      row('22'),
    ];
    holdToFirst(rows);
    expect(rows[1]?.tests.map(({ name, state, why = '' }) => [name, state, why.split(' ', 2).join(' ')])).toEqual([
      ['a', 'skipped', 'the explorer'],
      ['b', 'skipped', 'the explorer'],
    ]);
    expect(rows[2]?.tests).toMatchObject([{ state: 'failed', why: 'it has 0 tests here and 2 on 20' }]);
  });
});

describe('a known difference', () => {
  const known = { on: ['bun'], file: 'x/a.test.ts', name: 'differs', why: 'bun: it does' };
  const failed: Result = { file: 'x/a.test.ts', name: 'differs', state: 'failed', why: '' };

  it('skips a test that fails', () => {
    expect(judge('bun', failed, [known])).toMatchObject({ state: 'skipped', why: 'bun: it does' });
  });

  it('does not skip a test that fails with another error', () => {
    const narrow = { ...known, error: /differs/ };
    expect(judge('bun', { ...failed, why: 'Error: it differs' }, [narrow]).state).toBe('skipped');
    expect(judge('bun', { ...failed, why: 'Error: something else' }, [narrow]).state).toBe('failed');
  });

  it('fails a test that passes', () => {
    const judged = judge('bun', { ...failed, state: 'passed' }, [known]);
    expect(judged).toMatchObject({ state: 'failed', why: expect.stringMatching(/it passes/) });
  });

  it('does not apply to another file or runtime', () => {
    const other: Result = { ...failed, file: 'y/a.test.ts' };
    expect(judge('bun', other, [known])).toBe(other);
    expect(judge('deno', failed, [known])).toBe(failed);
  });

  it.each(differences)('names an existing test: $file, $name', ({ file, name }) => {
    const source = readFileSync(join(root, file), 'utf8');
    // Only the start of the last name is literal in the source: suites come before it, and tables fill in the end.
    if (name !== outside) expect(source).toContain(name.split(' > ').at(-1));
  });
});
