// Prints the last line of .ci/run, from the reports of the test runs.
// Usage: `node test/run/summary.mjs <exit codes: test, test:all, check>`.
import { reportOf, tally } from './report.mjs';

const [test = 1, all = 1, check = 1] = process.argv.slice(2).map(Number);
const tallies = [tally(reportOf('test'), test), tally(reportOf('test:all'), all)];
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failed = tallies.reduce((sum, tally) => sum + tally.failed, check === 0 ? 0 : 1);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
