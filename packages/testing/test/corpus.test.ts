import { ScheduleError } from '@quiesce/testing';
import { expect, test } from 'vitest';
import { everyday } from './corpus/everyday.ts';
import { harder } from './corpus/harder.ts';
import { runProgram } from './corpus/program.ts';

const programs = [...everyday, ...harder];
const found: number[] = [];

async function failureOf(run: Promise<unknown>): Promise<ScheduleError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ScheduleError);
  return error as ScheduleError;
}

test.each(programs)(
  'the bug "$name" is found with the default options, and replays with the same story',
  async (program) => {
    const error = await failureOf(runProgram(program, false));
    expect(error.kind).toBe(program.kind);
    expect(error.report.stoppedBy).toBe('failure');
    found.push(error.report.foundIn ?? 0);
    for (let i = 0; i < 5; i++) {
      const again = await failureOf(runProgram(program, false, { replay: error.schedule }));
      expect(again.kind).toBe(error.kind);
      expect(again.story).toEqual(error.story);
      expect(again.schedule).toBe(error.schedule);
    }
  },
);

test('the bugs of the corpus are found in at most 5 schedules on average', () => {
  expect(found).toHaveLength(25);
  expect(found.reduce((sum, one) => sum + one, 0) / found.length).toBeLessThanOrEqual(5);
});

test.each(programs)('the program "$name" passes once its bug is fixed', async (program) => {
  const report = await runProgram(program, true);
  expect(['exhausted', 'bound']).toContain(report.stoppedBy);
});
