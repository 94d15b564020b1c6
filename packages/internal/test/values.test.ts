import { defineDispose, isThenable, refuseThenable, show } from '@quiesce/internal';
import { describe, expect, test } from 'vitest';

// biome-ignore lint/suspicious/noThenProperty: what is tested
const thenable = { then: (): void => {} };
const callable = Object.assign(() => {}, thenable);
// biome-ignore lint/suspicious/noThenProperty: what is tested
const plain = [undefined, null, 1, 'then', 1n, Symbol('then'), {}, [], () => {}, { then: 1 }];

describe('a thenable', () => {
  test('is whatever promises would follow', () => {
    expect([Promise.resolve(), thenable, callable].map(isThenable)).toEqual([true, true, true]);
    expect(plain.map(isThenable)).toEqual(plain.map(() => false));
  });

  test('is refused, with the call and what to do in the text', () => {
    for (const value of plain) expect(() => refuseThenable(value, 'send')).not.toThrow();
    expect(() => refuseThenable(callable, 'send')).toThrow(TypeError);
    expect(() => refuseThenable(Promise.resolve(), 'send')).toThrow(/^send: Promise has a then method.*await it/);
  });
});

test('an error text names the kind of what was passed', () => {
  const generator = (async function* () {})();
  const values = [undefined, null, 1, 'text', {}, [], () => {}, new AbortController(), Object.create(null), generator];
  expect(values.map(show)).toEqual([
    'undefined',
    'null',
    'Number',
    'String',
    'Object',
    'Array',
    'Function',
    'AbortController',
    'object',
    'object',
  ]);
});

describe('defineDispose', () => {
  class Handle {
    close(): string {
      return 'closed';
    }
  }

  test('gives a prototype the very function of the named twin', () => {
    defineDispose(Handle, 'close');
    defineDispose(Handle, 'close', 'asyncDispose');
    const handle = new Handle() as Handle & Disposable & AsyncDisposable;
    expect(handle[Symbol.dispose]).toBe(handle.close);
    expect(handle[Symbol.asyncDispose]).toBe(handle.close);
  });

  test('adds nothing that would be enumerated', () => {
    expect(Object.keys(Handle.prototype)).toEqual([]);
  });
});
