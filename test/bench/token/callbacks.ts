// Adds and removes a callback.

import { getEventListeners, setMaxListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { EventEmitter } from 'eventemitter3';
import { atLeast, atMost } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';

const OTHERS = 10_000;
const BATCH = 1000;
const DEPTH = 5;

function idle(): void {}

/** Adds `others` callbacks to the token, and measures one more at `depth` below it. */
function quiesce(name: string, others: number, depth = 0): Subject {
  const root = new CancellationToken();
  for (let i = 0; i < others; i++) root.onCancelled(idle);
  let token = root;
  for (let i = 0; i < depth; i++) token = token.childToken();
  let undone = 0;
  return timed({
    name,
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) undone += Number(token.onCancelled(idle).dispose());
    },
    check: () => {
      expectCount(undone, BATCH);
      undone = 0;
    },
  });
}

function native(): Subject {
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  // A new function each time: the platform ignores a function that is already registered.
  for (let i = 0; i < OTHERS; i++) signal.addEventListener('abort', () => {});
  const batch = 50;
  return timed({
    name: 'addEventListener, beside 10,000',
    batch,
    run: () => {
      for (let i = 0; i < batch; i++) {
        signal.addEventListener('abort', idle);
        signal.removeEventListener('abort', idle);
      }
    },
    check: () => expectCount(getEventListeners(signal, 'abort').length, OTHERS),
  });
}

function emitter(): Subject {
  const events = new EventEmitter();
  return timed({
    name: 'eventemitter3, beside none',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        events.on('abort', idle);
        events.off('abort', idle);
      }
    },
    check: () => expectCount(events.listenerCount('abort'), 0),
  });
}

const alone = 'quiesce, beside none';

export const crowded: Row = {
  name: `callback added and removed, beside ${OTHERS.toLocaleString('en')} others`,
  unit: 'ns',
  subjects: () => [quiesce('quiesce', OTHERS), quiesce(alone, 0), native(), emitter()],
  budgets: [
    { against: alone, must: atMost(2) },
    { against: 'eventemitter3, beside none', aim: atLeast(1) },
  ],
};

export const deep: Row = {
  name: `callback added and removed at depth ${DEPTH}, beside ${OTHERS.toLocaleString('en')} others`,
  unit: 'ns',
  subjects: () => [quiesce('quiesce', OTHERS, DEPTH), quiesce(alone, 0)],
  budgets: [{ against: alone, must: atMost(4) }],
};
