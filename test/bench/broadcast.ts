import { delivering, type Traffic } from './broadcast/audience.ts';
import { batchRivals } from './broadcast/batches.ts';
import { rivals } from './broadcast/rivals.ts';
import { stalled } from './broadcast/stalled.ts';
import { atLeast, type Budget } from './budget.ts';
import type { Row } from './harness.ts';

const DELIVERIES = 6400;
const BURST = 128;

/** The budgets of the design are for 64 receivers. The other rows are for information. */
const budgets: readonly Budget[] = [
  { against: 'a bare ring', must: atLeast(0.9) },
  { subject: 'quiesce, for await', against: 'a bare ring', must: atLeast(0.7) },
  { subject: 'quiesce, for await', against: 'a bare ring, for await' },
  { against: 'Effect PubSub bounded', must: atLeast(8) },
  { against: 'Effect PubSub sliding', must: atLeast(8) },
  { against: 'events.on', must: atLeast(1.6) },
  { subject: 'quiesce, for await', against: 'events.on' },
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

function inBatches(receivers: number): Row {
  const traffic: Traffic = { receivers, burst: BURST, bursts: Math.ceil((10 * DELIVERIES) / receivers / BURST) };
  return {
    name: `bursts of ${BURST} messages to ${receivers.toLocaleString('en')}, each taking all that is ready, a delivery`,
    unit: 'ns',
    subjects: () => batchRivals.map((rival) => delivering(rival, traffic)),
    budgets: receivers === 64 ? [{ against: 'a bare ring', must: atLeast(0.35) }] : [],
  };
}

const sizes = [1, 8, 64, 1024];

export const rows: readonly Row[] = [...sizes.map(oneByOne), ...sizes.map(inBatches), stalled];
