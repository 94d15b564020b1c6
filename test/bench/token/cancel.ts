// Cancels a token with many observed children.

import { CancellationToken } from '@quiesce/cancellation-token';
import { CancellationTokenSource as CodeSource } from 'vscode-jsonrpc';
import { atMost, type Budget } from '../budget.ts';
import { expectCount, type Row, type Subject, timed } from '../harness.ts';
import { callChildren, plainChildren } from '../plain.ts';

const CHILDREN = 100_000;
/** Native signals take too long to make. */
const NATIVES = 5000;

const plainly = 'walking plain objects and calling';

/** How often callbacks have run since the last check. */
let called = 0;

function shared(): void {
  called++;
}

type Make = () => () => void;
const sharing: Make = () => shared;
const closing: Make = () => () => {
  called++;
};

/** Checks that each callback has run once. */
function check(wanted: number): void {
  expectCount(called, wanted);
  called = 0;
}

function quiesce(make: Make): Subject {
  let root = new CancellationToken();
  return timed({
    name: 'quiesce',
    batch: CHILDREN,
    prepare: () => {
      root = new CancellationToken();
      for (let i = 0; i < CHILDREN; i++) root.childToken().onCancelled(make());
    },
    run: () => void root.cancel('stop'),
    check: () => check(CHILDREN),
  });
}

function plain(make: Make): Subject {
  let root = plainChildren(0, make);
  return timed({
    name: plainly,
    batch: CHILDREN,
    prepare: () => {
      root = plainChildren(CHILDREN, make);
    },
    run: () => callChildren(root, 'stop'),
    check: () => check(CHILDREN),
  });
}

function native(make: Make): Subject {
  let root = new AbortController();
  let children: AbortSignal[] = [];
  return timed({
    name: 'AbortSignal.any',
    batch: NATIVES,
    prepare: () => {
      root = new AbortController();
      children = Array.from({ length: NATIVES }, () => AbortSignal.any([root.signal]));
      for (const child of children) child.addEventListener('abort', make());
    },
    run: () => root.abort('stop'),
    check: () => {
      expectCount(children.length, NATIVES);
      check(NATIVES);
    },
  });
}

function vscode(make: Make): Subject {
  let root = new CodeSource();
  return timed({
    name: 'vscode-jsonrpc',
    batch: CHILDREN,
    prepare: () => {
      root = new CodeSource();
      for (let i = 0; i < CHILDREN; i++) {
        const child = new CodeSource();
        child.token.onCancellationRequested(make());
        root.token.onCancellationRequested(() => child.cancel());
      }
    },
    run: () => root.cancel(),
    check: () => check(CHILDREN),
  });
}

const many = CHILDREN.toLocaleString('en');

/** Only with the baseline: objects of libraries on the heap slow both down, and the token more. */
function alone(name: string, make: Make, budgets: readonly Budget[]): Row {
  return {
    name: `cancel ${many} observed children, ${name}, a child`,
    unit: 'ns',
    subjects: () => [quiesce(make), plain(make)],
    budgets,
  };
}

export const sharedFunction: Row = alone('one function', sharing, [
  { aim: atMost(18) },
  { against: plainly, must: atMost(4) },
]);

export const ownClosures: Row = alone('a closure each', closing, [{ against: plainly, must: atMost(7) }]);

export const besideLibraries: Row = {
  name: 'the same in one process with libraries, one function, a child',
  unit: 'ns',
  subjects: () => [quiesce(sharing), native(sharing), vscode(sharing)],
  budgets: [],
};
