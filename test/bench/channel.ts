import { atLeast, type Budget } from './budget.ts';
import * as rivals from './channel/rivals.ts';
import { type Row, timed } from './harness.ts';

const subjects: Readonly<Record<string, (shape: rivals.Shape) => Promise<void>>> = {
  quiesce: rivals.quiesce,
  'quiesce, for await': rivals.quiesceIterated,
  'an array by hand': rivals.byHand,
  '@thi.ng/csp': rivals.csp,
  'ts-chan': rivals.tsChan,
  'Effect Queue': rivals.effectQueue,
  TransformStream: rivals.transformStream,
  // It does not run on Node 20.
  ...('withResolvers' in Promise ? { 'it-queue': rivals.itQueue } : {}),
};

/** As fast as any of the installable rivals. */
const budgets: readonly Budget[] = Object.keys(subjects)
  .slice(3)
  .map((against) => ({ against, must: atLeast(1) }));

function row(name: string, shape: rivals.Shape): Row {
  return {
    name: `${name}, a message`,
    unit: 'ns',
    subjects: () =>
      Object.entries(subjects).map(([subject, run]) =>
        timed({ name: subject, batch: rivals.MESSAGES, isAsync: true, run: () => run(shape) }),
      ),
    budgets,
  };
}

export const rows: readonly Row[] = [
  row('mpsc one to one, bounded 16', { producers: 1, capacity: 16 }),
  row('mpsc one to one, unbounded', { producers: 1, capacity: undefined }),
  row('mpsc 16 to one, bounded 16', { producers: 16, capacity: 16 }),
  row('mpsc 16 to one, unbounded', { producers: 16, capacity: undefined }),
];
