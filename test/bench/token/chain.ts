// A chain of a million tokens, each the child of the one before.

import { CancellationToken } from '@quiesce/cancellation-token';
import { atMost } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';
import { plainChain, walkDown, walkUp } from '../plain.ts';

const LENGTH = 1_000_000;
/** A chain takes long to make. */
const RUNS = 2;

let called = 0;
let root = new CancellationToken();
let leaf = root;

function grow(): void {
  root = new CancellationToken();
  leaf = root;
  for (let i = 1; i < LENGTH; i++) leaf = leaf.childToken();
}

function walk(name: string, batch: number, go: (chain: ReturnType<typeof plainChain>) => number): Subject {
  let chain = plainChain(1);
  let sum = 0;
  return timed({
    name,
    batch,
    runs: RUNS,
    prepare: () => {
      chain = plainChain(LENGTH);
    },
    run: () => {
      sum = go(chain);
    },
    check: () => expectCount(sum, LENGTH / 2),
  });
}

const down = 'walking down plain objects';
const up = 'walking up plain objects';

export const observed: Row = {
  name: `cancel a chain of ${LENGTH.toLocaleString('en')} with a callback at its end, a token`,
  unit: 'ns',
  subjects: () => [
    timed({
      name: 'quiesce',
      batch: LENGTH,
      runs: RUNS,
      prepare: () => {
        grow();
        leaf.onCancelled(() => {
          called++;
        });
      },
      run: () => void root.cancel('stop'),
      check: () => {
        expectCount(called, 1);
        expectCount(Number(leaf.isCancelled), 1);
        called = 0;
      },
    }),
    walk(down, LENGTH, (chain) => walkDown(chain.root)),
  ],
  budgets: [{ against: down, must: atMost(3) }],
};

/** O(1): almost nothing of a walk over the whole chain. */
export const unobserved: Row = {
  name: `cancel a chain of ${LENGTH.toLocaleString('en')} unobserved tokens, in all`,
  unit: 'ns',
  subjects: () => [
    timed({
      name: 'quiesce',
      batch: 1,
      runs: RUNS,
      prepare: grow,
      run: () => void root.cancel('stop'),
      check: () => expectCount(Number(root.isCancelled), 1),
    }),
    walk(down, 1, (chain) => walkDown(chain.root)),
  ],
  budgets: [{ against: down, must: atMost(0.01) }],
};

export const firstLook: Row = {
  name: 'then the first look at its end, a token',
  unit: 'ns',
  subjects: () => [
    timed({
      name: 'quiesce',
      batch: LENGTH,
      runs: RUNS,
      prepare: () => {
        grow();
        root.cancel('stop');
      },
      run: () => {
        called += Number(leaf.isCancelled);
      },
      check: () => {
        expectCount(called, 1);
        called = 0;
      },
    }),
    walk(up, LENGTH, (chain) => walkUp(chain.leaf)),
  ],
  budgets: [{ against: up, must: atMost(2) }],
};
