// A branch is ready when the select starts.
import { CancellationToken } from '@quiesce/cancellation-token';
import { select, trySelect } from '@quiesce/select';
import { channel, select as cspSelect } from '@thi.ng/csp';
import { Chan, recv, Select } from 'ts-chan';
import { atMost } from '../budget.ts';
import type { Row } from '../harness.ts';
import { acting, idle, isBranch, turning } from './turns.ts';

const [a, b, c, d, e, f, g] = [idle(), idle(), idle(), idle(), idle(), idle(), idle()];
const done = new CancellationToken();
done.cancel('ready');
const outcome = { branch: 'done', value: 'ready' };
const isDone = isBranch('done');

const literal = 'its literal and Promise.resolve(outcome)';
const literalNow = 'building its literal and its outcome';
/** Stores literals, so that they are really built. */
let kept: unknown;
const built = (branches: { readonly done: CancellationToken }): { branch: string; value: unknown } => {
  kept = branches;
  return { branch: 'done', value: branches.done.reason };
};

const [idleCsp, csp] = [channel<number>(), channel<number>()];
const [idleChan, chan] = [new Chan<number>(0), new Chan<number>(1)];
const cases = new Select([recv(idleChan), recv(chan)]);

async function bySelectOfCsp(index: number): Promise<unknown> {
  void csp.write(index);
  const [value] = await cspSelect(idleCsp, csp);
  return value === index ? outcome : undefined;
}

async function byTsChan(index: number): Promise<unknown> {
  chan.trySend(index);
  const at = await cases.wait();
  return at === 1 && cases.recv(cases.cases[1]).value === index ? outcome : undefined;
}

export const ready: readonly Row[] = [
  {
    name: 'select with a branch that is ready, 2 branches, an iteration',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', () => select({ a, done }), isDone),
      turning(literal, () => Promise.resolve(built({ a, done } as { done: CancellationToken })), isDone),
      turning('@thi.ng/csp', bySelectOfCsp, isDone),
      turning('ts-chan', byTsChan, isDone),
    ],
    budgets: [{ against: literal, must: atMost(5) }],
  },
  {
    name: 'the same, 3 branches',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', () => select({ a, b, done }), isDone),
      turning(literal, () => Promise.resolve(built({ a, b, done } as { done: CancellationToken })), isDone),
    ],
    budgets: [{ against: literal, must: atMost(5) }],
  },
  {
    name: 'the same, 8 branches',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', () => select({ a, b, c, d, e, f, g, done }), isDone),
      turning(
        literal,
        () => Promise.resolve(built({ a, b, c, d, e, f, g, done } as { done: CancellationToken })),
        isDone,
      ),
    ],
    budgets: [],
  },
  {
    name: 'trySelect.biased with a branch that is ready, 2 branches',
    unit: 'ns',
    subjects: () => [
      acting('quiesce', () => trySelect.biased({ a, done }), isDone),
      acting(literalNow, () => built({ a, done } as { done: CancellationToken }), isDone),
    ],
    budgets: [{ against: literalNow, must: atMost(5), aim: atMost(1) }],
  },
  {
    name: 'trySelect, from anywhere, 2 branches',
    unit: 'ns',
    subjects: () => [
      acting('quiesce', () => trySelect({ a, done }), isDone),
      acting(literalNow, () => built({ a, done } as { done: CancellationToken }), isDone),
    ],
    budgets: [{ against: literalNow, must: atMost(8) }, { aim: atMost(36) }],
  },
];
if (kept !== undefined) throw new Error('nothing is built before a row is measured');
