// A reporter of vitest: writes the result of each test to a file, for run.ts.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';
import { root } from '../package/packages.ts';

/** The result of one test. */
export interface Result {
  /** From the root of the clone, with slashes. */
  file: string;
  /** The names of its suites and its own, or a name in parentheses for a failure that belongs to no test. */
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  /** The error, or the reason for skipping. */
  why?: string;
}

export interface Report {
  /** Whether vitest ends with an exit code other than 0, also for tests that count as skipped here. */
  hasFailed: boolean;
  results: Result[];
}

export const ofFile = '(the file)';
export const outside = '(outside of its tests)';

type Errors = readonly SerializedError[];

export class ResultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: Errors): void {
    const report: Report = {
      hasFailed: unhandled.length > 0 || modules.some((module) => module.state() === 'failed'),
      results: [...modules.flatMap(resultsOf), ...unhandled.map(resultOfUnhandled)],
    };
    writeFileSync(String(process.env['QUIESCE_REPORT']), JSON.stringify(report));
  }
}

function resultsOf(module: TestModule): Result[] {
  const file = pathOf(module.moduleId);
  const tests = [...module.children.allTests()];
  const errors = module.errors();
  const results = tests.map((test) => ({ file, name: test.fullName, ...judge(test) }));
  if (tests.length > 0 && (errors.length === 0 || errors.some(isMissing))) return results;
  return [...results, { file, name: ofFile, state: 'failed', why: textOf(errors) || 'it has no tests' }];
}

function judge(test: TestCase): Pick<Result, 'state' | 'why'> {
  const { state, errors = [], ...result } = test.result();
  if (state === 'passed') return { state };
  const note = test.meta().needs ?? ('note' in result ? result.note : undefined);
  if (note !== undefined) return { state: 'skipped', why: note };
  // A hook of a suite that fails leaves the suite's tests without a result.
  const causes = state === 'failed' ? errors : errorsAbove(test.parent);
  const needs = causes.find(isMissing);
  if (needs !== undefined) return { state: 'skipped', why: needs.message };
  if (state === 'skipped' && causes.length === 0 && test.options.mode !== 'run')
    return { state: 'skipped', why: 'the test skips itself here' };
  return { state: 'failed', why: textOf(causes) || 'it did not run' };
}

function errorsAbove(parent: TestSuite | TestModule): Errors {
  const own = parent.errors();
  return own.length > 0 || parent.type === 'module' ? own : errorsAbove(parent.parent);
}

/** Whether a test used something that inside/missing.ts stands for. */
function isMissing({ name }: SerializedError): boolean {
  return name === 'MissingError';
}

function resultOfUnhandled(error: SerializedError): Result {
  const path = error['VITEST_TEST_PATH'];
  return { file: typeof path === 'string' ? pathOf(path) : '', name: outside, state: 'failed', why: textOf([error]) };
}

function pathOf(file: string): string {
  return relative(root, file).replaceAll('\\', '/');
}

function textOf(errors: Errors): string {
  return errors
    .map(({ name, message, stack = '' }) => {
      const frames = stack.split('\n').filter((line) => /^\s+at |@/.test(line));
      return [`${name}: ${message}`, ...frames.slice(0, 6)].join('\n');
    })
    .join('\n');
}
