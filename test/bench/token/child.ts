// Makes and disposes a child of a parent with many children.

import { setMaxListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { anySignal } from 'any-signal';
import cancellationtoken from 'cancellationtoken';
import { Exit, Scope } from 'effect';
import { CancellationTokenSource as PrexSource } from 'prex';
import { CancellationTokenSource as CodeSource } from 'vscode-jsonrpc';
import { atLeast, atMost, byNode } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';
import { PlainToken } from '../plain.ts';

const LIVE = 1000;
const BATCH = 1000;

/** Stores the result: the engine would omit an object that is unreachable. */
const kept: unknown[] = new Array(16);

function idle(): void {}

function repeat(count: number, act: () => unknown): unknown[] {
  return Array.from({ length: count }, act);
}

function quiesce(): Subject {
  const parent = new CancellationToken();
  const children = repeat(LIVE, () => parent.childToken().onCancelled(idle));
  return timed({
    name: 'quiesce',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        const child = parent.childToken();
        kept[i & 15] = child;
        child.dispose();
      }
    },
    check: () => {
      expectCount(children.length, LIVE);
      expectCount(kept.filter((child) => String(child).includes('disposed')).length, kept.length);
    },
  });
}

function plain(): Subject {
  const parent = new PlainToken(undefined, 0);
  return timed({
    name: 'a stored object of 5 fields',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) kept[i & 15] = new PlainToken(parent, i);
    },
    check: () => expectCount(kept.filter((child) => child instanceof PlainToken).length, kept.length),
  });
}

function native(): Subject {
  const { signal } = new AbortController();
  const children = repeat(LIVE, () => AbortSignal.any([signal]));
  const batch = 100;
  return timed({
    name: 'AbortSignal.any',
    batch,
    run: () => {
      for (let i = 0; i < batch; i++) kept[i & 15] = AbortSignal.any([signal]);
    },
    check: () => expectCount(children.length, LIVE),
  });
}

function vscode(): Subject {
  const { token } = new CodeSource();
  const make = () => {
    const child = new CodeSource();
    return { child, link: token.onCancellationRequested(() => child.cancel()) };
  };
  const children = repeat(LIVE, make);
  return timed({
    name: 'vscode-jsonrpc',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        const { child, link } = make();
        kept[i & 15] = child;
        link.dispose();
        child.dispose();
      }
    },
    check: () => expectCount(children.length, LIVE),
  });
}

function prex(): Subject {
  const { token } = new PrexSource();
  const children = repeat(LIVE, () => new PrexSource([token]));
  return timed({
    name: 'prex',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        const child = new PrexSource([token]);
        kept[i & 15] = child;
        child.close();
      }
    },
    check: () => expectCount(children.length, LIVE),
  });
}

function cancellationToken(): Subject {
  const { token } = cancellationtoken.default.create();
  const make = () => {
    const child = cancellationtoken.default.create();
    return { child, unlink: token.onCancelled(child.cancel) };
  };
  const children = repeat(LIVE, make);
  return timed({
    name: 'cancellationtoken',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        const { child, unlink } = make();
        kept[i & 15] = child;
        unlink();
      }
    },
    check: () => expectCount(children.length, LIVE),
  });
}

function anySignals(): Subject {
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const children = repeat(LIVE, () => anySignal([signal]));
  const batch = 100;
  return timed({
    name: 'any-signal',
    batch,
    run: () => {
      for (let i = 0; i < batch; i++) {
        const child = anySignal([signal]);
        kept[i & 15] = child;
        child.clear();
      }
    },
    check: () => expectCount(children.length, LIVE),
  });
}

function effect(): Subject {
  const parent = Scope.makeUnsafe();
  const children = repeat(LIVE, () => Scope.forkUnsafe(parent));
  return timed({
    name: 'Effect Scope',
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) {
        const child = Scope.forkUnsafe(parent);
        kept[i & 15] = child;
        Scope.closeUnsafe(child, Exit.void);
      }
    },
    check: () => expectCount(children.length, LIVE),
  });
}

export const row: Row = {
  name: `child made and disposed, ${LIVE.toLocaleString('en')} live siblings`,
  unit: 'ns',
  subjects: () => [quiesce(), plain(), native(), vscode(), prex(), cancellationToken(), anySignals(), effect()],
  budgets: [
    { aim: atMost(43) },
    { against: 'a stored object of 5 fields', must: atMost(3) },
    { against: 'AbortSignal.any', must: byNode(atLeast(100), atLeast(15)) },
  ],
};
