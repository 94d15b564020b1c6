// The weight of a child.

import { setMaxListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { CancellationTokenSource as CodeSource } from 'vscode-jsonrpc';
import { atMost } from '../budget.ts';
import { type Row, weighed } from '../harness.ts';

const COUNT = 100_000;
/** Fewer of the children that take long to make. */
const FEW = 10_000;

/** One for all: a closure counts as the user's own weight. */
function idle(): void {}

const parent = new CancellationToken();
const controller = new AbortController();
setMaxListeners(0, controller.signal);
const code = new CodeSource();

export const unobserved: Row = {
  name: 'heap of an unobserved child',
  unit: 'B',
  subjects: () => [
    weighed('quiesce', COUNT, () => parent.childToken()),
    weighed('AbortSignal.any', FEW, () => AbortSignal.any([controller.signal])),
  ],
  budgets: [{ must: atMost(72), aim: atMost(64) }],
};

export const observed: Row = {
  name: 'heap of a child with one callback, its closure excluded',
  unit: 'B',
  subjects: () => [
    weighed('quiesce', COUNT, () => {
      const child = parent.childToken();
      child.onCancelled(idle);
      return child;
    }),
    weighed('AbortSignal.any', FEW, () => {
      const child = AbortSignal.any([controller.signal]);
      child.addEventListener('abort', idle);
      return child;
    }),
    weighed('vscode-jsonrpc', FEW, () => {
      const child = new CodeSource();
      child.token.onCancellationRequested(idle);
      code.token.onCancellationRequested(child.cancel, child);
      return child;
    }),
  ],
  budgets: [{ must: atMost(136), aim: atMost(120) }],
};
