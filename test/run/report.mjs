// Counts the tests in vitest's JSON reports.
import { existsSync, readFileSync } from 'node:fs';
import { root } from './process.mjs';

/**
 * Returns the path of the JSON report that vitest writes for a command.
 *
 * @param {string} command
 */
export function reportOf(command) {
  return `${root}test/.output/${command.replace(':', '-')}.json`;
}

/**
 * Returns whether the run that wrote the report had a test that passed.
 *
 * @param {string} path
 */
export function hasPassed(path) {
  return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).numPassedTests > 0;
}

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Tally
 * @typedef {{ status: string, fullName: string, failureMessages: string[] }} TestResult
 * @typedef {{ name: string, status: string, message: string, assertionResults: TestResult[] }} FileResult
 */

/**
 * @param {string} path
 * @param {number} exitCode the exit code of the run that should have written the report
 * @returns {Tally} a report that is missing, a file that could not be loaded and an error outside of all tests are one failure each
 */
export function tally(path, exitCode) {
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(readFileSync(path, 'utf8'));
  /** @type {FileResult[]} */
  const files = report.testResults;
  const broken = files.filter(({ status, assertionResults }) => {
    return status === 'failed' && !assertionResults.some((result) => result.status === 'failed');
  });
  const failed = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * Returns a line for each test that failed and for each file that could not be loaded.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function failures(path) {
  if (!existsSync(path)) return [`${path} was not written`];
  /** @type {FileResult[]} */
  const files = JSON.parse(readFileSync(path, 'utf8')).testResults;
  return files
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const file = name.replace(root, '');
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      if (failed.length === 0) return [`${file}: ${firstLine(message)}`];
      return failed.map(({ fullName, failureMessages: [error = ''] }) => `${file}: ${fullName}: ${firstLine(error)}`);
    });
}

/** @param {string} text */
function firstLine(text) {
  // Vitest creates the stack of a timeout before the test runs, when it has no message yet.
  return (text.split('\n', 1)[0] ?? '').replace('STACK_TRACE_ERROR', 'the test timed out');
}
