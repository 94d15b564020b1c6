// Bound: two events at steps that are close to each other. 330,000 schedules, 70 s of processor time.

import { expect, test } from 'vitest';
import { exploreWaits, subjects } from './explored-waits.ts';

// A run takes a fraction of a millisecond, and the stack of its timeout error a seventh of that.
Error.stackTraceLimit = 0;

test.each(Object.keys(subjects))(
  'a wait for %s neither sleeps beside a value nor leaves anything behind after two events',
  async (subject) => {
    expect((await exploreWaits(subject, 2)).stoppedBy).toBe('bound');
  },
  600_000,
);
