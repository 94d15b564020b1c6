// A foreign signal with many observed children below it.

import { getEventListeners, setMaxListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { anySignal } from 'any-signal';
import { atMost } from '../budget.ts';
import { expectCount, type Row, type Subject } from '../harness.ts';

const CHILDREN = 10_000;

/** Counts the listeners that `make`, called for each child, leaves on a signal. The abort must reach every child. */
function listeners(name: string, children: number, make: (signal: AbortSignal, heard: () => void) => unknown): Subject {
  return {
    name,
    sample: () => {
      const controller = new AbortController();
      setMaxListeners(0, controller.signal);
      let called = 0;
      const kept = Array.from({ length: children }, () => make(controller.signal, () => called++));
      const found = getEventListeners(controller.signal, 'abort').length;
      controller.abort('stop');
      expectCount(called, kept.length);
      return (found * CHILDREN) / children;
    },
  };
}

export const row: Row = {
  name: `listeners on a foreign signal with ${CHILDREN.toLocaleString('en')} observed children`,
  unit: 'listeners',
  subjects: () => [
    listeners('quiesce', CHILDREN, (signal, heard) => CancellationToken.from(signal).childToken().onCancelled(heard)),
    listeners('any-signal', CHILDREN / 10, (signal, heard) => {
      const child = anySignal([signal]);
      child.addEventListener('abort', heard);
      return child;
    }),
  ],
  budgets: [{ must: atMost(1) }],
};
