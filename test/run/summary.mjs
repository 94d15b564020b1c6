// The last line of .ci/run, from the report that `npm test` wrote: `node test/run/summary.mjs <exit codes: test, check>`.
import { reportPath, tally } from './report.mjs';

const [test = 1, check = 1] = process.argv.slice(2).map(Number);
const { passed, failed } = tally(reportPath, test);
const failures = failed + (check === 0 ? 0 : 1);

console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
