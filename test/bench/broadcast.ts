import { delivering, type Traffic } from './broadcast/audience.ts';
import { rivals } from './broadcast/rivals.ts';
import { atLeast, type Budget } from './budget.ts';
import type { Row } from './harness.ts';

const DELIVERIES = 6400;

/** The budgets of the design are for 64 receivers; the other rows are information. */
const budgets: readonly Budget[] = [
  { against: 'a bare ring', must: atLeast(0.9) },
  { subject: 'quiesce, for await', against: 'a bare ring', must: atLeast(0.7) },
  { against: 'Effect PubSub bounded', must: atLeast(8) },
  { against: 'Effect PubSub sliding', must: atLeast(8) },
  { against: 'events.on', must: atLeast(1.6) },
  { subject: 'quiesce, for await', against: 'events.on', must: atLeast(1.6) },
];

function oneByOne(receivers: number): Row {
  const traffic: Traffic = { receivers, burst: 1, bursts: Math.ceil(DELIVERIES / receivers) };
  return {
    name: `one message at a time to ${receivers.toLocaleString('en')}, each its own loop, a delivery`,
    unit: 'ns',
    subjects: () => rivals.map((rival) => delivering(rival, traffic)),
    budgets: receivers === 64 ? budgets : [],
  };
}

export const rows: readonly Row[] = [oneByOne(1), oneByOne(8), oneByOne(64), oneByOne(1024)];
