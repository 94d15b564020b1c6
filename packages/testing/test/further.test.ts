import type { ScheduleError } from '@quiesce/testing';
import { expect, test } from 'vitest';
import { further } from './corpus/further.ts';
import { runProgram } from './corpus/program.ts';

test.each(further)('the bug "$name" is found with the default options', async (program) => {
  const error = await runProgram(program, false).then(
    (report) => ({ kind: 'not found', message: JSON.stringify(report) }),
    (reason: ScheduleError) => reason,
  );
  expect(error.kind, error.message).toBe(program.kind);
});

test.each(further)('"$name" passes without its bug', async (program) => {
  expect(['exhausted', 'bound']).toContain((await runProgram(program, true)).stoppedBy);
});
