// Prints the last lines of .ci/run, from the reports of the test runs: each failure by name, then the counts.
// Usage: `node test/run/summary.mjs <exit codes: test, test:all, check>`.
import { failures, reportOf, tally } from './report.mjs';

const [test = 1, all = 1, check = 1] = process.argv.slice(2).map(Number);
const tests = reportOf('test');
const more = reportOf('test:all');
const tallies = [tally(tests, test), tally(more, all)];
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failed = tallies.reduce((sum, tally) => sum + tally.failed, check === 0 ? 0 : 1);

for (const line of [tests, more].flatMap(failures)) console.log(`failed: ${line}`);
if (check !== 0) console.log('failed: npm run check');
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
