// A read below a deadline, which reads the clock each time.

import { CancellationToken } from '@quiesce/cancellation-token';
import { atMost } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';

const BATCH = 1000;
/** Longer than any measurement. */
const HOUR = 3_600_000;

function reads(name: string, token: CancellationToken): Subject {
  const child = token.childToken();
  let cancelled = 0;
  return timed({
    name,
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) cancelled += Number(child.isCancelled);
    },
    check: () => expectCount(cancelled, 0),
  });
}

const root = new CancellationToken();

export const row: Row = {
  name: 'a read below a deadline that can be renewed',
  unit: 'ns',
  subjects: () => [
    reads('quiesce', root.renewable(HOUR).token),
    reads('below withTimeout', root.withTimeout(HOUR)),
    reads('with `wall: true`', root.renewable(HOUR, { wall: true }).token),
  ],
  budgets: [{ against: 'below withTimeout', must: atMost(1.2) }],
};
