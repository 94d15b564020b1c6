import { CancellationToken } from '@quiesce/cancellation-token';
import type { Row } from './harness.ts';

const CHILDREN = 1000;
const CALLBACKS = 10_000;
const BATCH = 1000;

function idle(): void {}

function parentWithChildren(): CancellationToken {
  const parent = new CancellationToken();
  for (let i = 0; i < CHILDREN; i++) parent.childToken().onCancelled(idle);
  return parent;
}

const parent = parentWithChildren();
const nativeParent = new AbortController();
const crowded = new CancellationToken();
const nativeCrowded = new AbortController();
for (let i = 0; i < CALLBACKS; i++) {
  crowded.onCancelled(idle);
  // A new function each time: the platform ignores one that it has already.
  nativeCrowded.signal.addEventListener('abort', () => {});
}
/** Where objects go, so that making them is not optimised away. */
const kept: object[] = new Array(16);

export const rows: readonly Row[] = [
  {
    name: `child token, made and disposed, beside ${CHILDREN} others`,
    batch: BATCH,
    subjects: [
      {
        name: 'quiesce',
        run: () => {
          for (let i = 0; i < BATCH; i++) parent.childToken().dispose();
        },
      },
      {
        name: 'an object of five fields, stored',
        run: () => {
          for (let i = 0; i < BATCH; i++) kept[i & 15] = { up: parent, bits: i, next: null, prev: null, head: null };
        },
      },
      {
        name: 'AbortSignal.any',
        run: () => {
          for (let i = 0; i < BATCH; i++) kept[i & 15] = AbortSignal.any([nativeParent.signal]);
        },
      },
    ],
  },
  {
    name: `callback added and removed beside ${CALLBACKS} others`,
    batch: BATCH,
    subjects: [
      {
        name: 'quiesce',
        run: () => {
          for (let i = 0; i < BATCH; i++) crowded.onCancelled(idle).unregister();
        },
      },
      {
        name: 'addEventListener',
        run: () => {
          const listener = (): void => {};
          for (let i = 0; i < 10; i++) {
            for (let j = 0; j < BATCH / 10; j++) {
              nativeCrowded.signal.addEventListener('abort', listener);
              nativeCrowded.signal.removeEventListener('abort', listener);
            }
          }
        },
      },
    ],
  },
  {
    name: `a tree of ${CHILDREN} observed children, made and cancelled, a child`,
    batch: CHILDREN,
    subjects: [
      { name: 'quiesce', run: () => void parentWithChildren().cancel() },
      {
        name: 'AbortSignal.any',
        run: () => {
          const controller = new AbortController();
          for (let i = 0; i < CHILDREN; i++) AbortSignal.any([controller.signal]).addEventListener('abort', idle);
          controller.abort();
        },
      },
    ],
  },
];
