import type { ScheduleError } from '@quiesce/testing';
import { expect, test } from 'vitest';
import { everyday } from './corpus/everyday.ts';
import { harder } from './corpus/harder.ts';
import { runProgram } from './corpus/program.ts';

const REPLAYS = 100;

test.each([...everyday, ...harder])(
  'the failure of "$name" replays 100 of 100 times',
  async (program) => {
    const failureOf = (options = {}) =>
      runProgram(program, false, options).then(
        () => undefined,
        (error: ScheduleError) => error,
      );
    const first = await failureOf();
    let same = 0;
    for (let i = 0; i < REPLAYS; i++) {
      const again = await failureOf({ replay: first?.schedule });
      if (again?.kind === first?.kind && again?.story.join('\n') === first?.story.join('\n')) same++;
    }
    expect(same).toBe(REPLAYS);
  },
  300_000,
);
