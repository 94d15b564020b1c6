// `npm run bench -- fast-check` and `-- fast-check --record`: the corpus of the explorer under the scheduler of fast-check, two seconds
// of processor time for each program, and under `explore`.

import type { ScheduleError } from '@quiesce/testing';
import { markdownTable } from 'markdown-table';
import { everyday } from '../../packages/testing/test/corpus/everyday.ts';
import { harder } from '../../packages/testing/test/corpus/harder.ts';
import { runProgram } from '../../packages/testing/test/corpus/program.ts';
import { sampleFor } from '../../packages/testing/test/fast-check/adapter.ts';

/** The processor time for each program, in ms. */
const TIME = 2_000;
/** The time in which a correct program must not fail, in ms: the adapter would then judge wrongly. */
const CORRECT_TIME = 300;

/** Returns the table. */
export async function compare(): Promise<string> {
  const rows: string[][] = [];
  let found = 0;
  for (const program of [...everyday, ...harder]) {
    const sampled = await sampleFor(program, false, TIME);
    const correct = await sampleFor(program, true, CORRECT_TIME);
    const explored = await runProgram(program, false).then(
      () => 'not found',
      ({ report }: ScheduleError) => `schedule ${report.foundIn}`,
    );
    if (sampled.error !== undefined && correct.error === undefined) found++;
    const result = sampled.error === undefined ? `not in ${sampled.runs.toLocaleString('en')}` : `run ${sampled.runs}`;
    const judged = correct.error === undefined ? '' : `fails: ${correct.error.slice(0, 40)}`;
    rows.push([program.name, explored, result, judged]);
    console.log(`  ${program.name}: ${explored}, ${result} ${judged}`);
  }
  rows.push(['found', `${rows.length} of ${rows.length}`, `${found} of ${rows.length}`, '']);
  return markdownTable([['program', '`explore`', 'fast-check, found in', 'its correct version'], ...rows]);
}
