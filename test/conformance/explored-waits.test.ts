// Bound: one event at each step. 42,000 schedules, 8 s of processor time. explored-waits.slow.test.ts has two events.

import { expect, test } from 'vitest';
import { exploreWaits, subjects } from './explored-waits.ts';

test.each(Object.keys(subjects))(
  'a wait for %s neither sleeps beside a value nor leaves anything behind',
  async (subject) => {
    expect((await exploreWaits(subject, 1)).stoppedBy).toBe('bound');
  },
);
