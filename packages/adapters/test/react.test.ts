// The hooks on a server, and with wrong arguments. react.slow.test.ts has what needs a page.

import { useScope, useTask, useToken } from '@quiesce/adapters/react';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';

/** Renders a component that calls hooks, on a server. */
function render(run: () => string): string {
  return renderToString(createElement(() => run()));
}

test('on a server a task is running, and its work is not called', () => {
  let calls = 0;
  const html = render(() => {
    const { status, value } = useTask(() => ++calls, []);
    return `${status} ${value} ${useToken().isCancelled} ${useScope({ name: 'page' }).name}`;
  });
  expect([html, calls]).toEqual(['running undefined false page', 0]);
});

const work = (_: CancellationToken): void => {};

test.each([
  [
    'no function',
    () => useTask('/user' as never, []).status,
    TypeError,
    /^useTask: expected a function, got the string "\/user"/,
  ],
  ['no list', () => useTask(work, undefined as never).status, TypeError, /^useTask: expected a list of dependencies/],
  ['an unknown option', () => useTask(work, [], { debounce: 5 } as never).status, TypeError, /"debounce"; the options/],
  ['a wrong delay', () => useTask(work, [], { delay: -1 }).status, RangeError, /^useTask: delay must be milliseconds/],
  [
    'a delay of a scope',
    () => `${useScope({ delay: 5 } as never)}`,
    TypeError,
    /^useScope: there is no option "delay"/,
  ],
  ['a wrong time', () => `${useScope({ cleanupTimeout: -1 })}`, RangeError, /^useScope: cleanupTimeout must be/],
])('%s is refused by name', (_, run, errorClass, text) => {
  expect(() => render(run)).toThrow(errorClass);
  expect(() => render(run)).toThrow(text);
});
