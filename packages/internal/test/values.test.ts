import { defineDispose, isThenable, refuseThenable, show } from '@quiesce/internal';
import { describe, expect, test } from 'vitest';

// biome-ignore lint/suspicious/noThenProperty: what is tested
const thenable = { then: (): void => {} };
const callable = Object.assign(() => {}, thenable);
// biome-ignore lint/suspicious/noThenProperty: what is tested
const plain = [undefined, null, 1, 'then', 1n, Symbol('then'), {}, [], () => {}, { then: 1 }];

describe('a thenable', () => {
  test('is any value that promises would follow', () => {
    expect([Promise.resolve(), thenable, callable].map(isThenable)).toEqual([true, true, true]);
    expect(plain.map(isThenable)).toEqual(plain.map(() => false));
  });

  test('is refused, with the call and the alternative in the text', () => {
    for (const value of plain) expect(() => refuseThenable(value, 'send')).not.toThrow();
    expect(() => refuseThenable(callable, 'send')).toThrow(TypeError);
    expect(() => refuseThenable(Promise.resolve(), 'send')).toThrow(/^send: a Promise has a then method.*await it/);
  });
});

test('an error text shows the value that was passed, with its type', () => {
  const generator = (async function* () {})();
  const hostile = {
    get constructor(): never {
      throw new Error('a getter');
    },
  };
  const shown = new Map<unknown, string>([
    [undefined, 'undefined'],
    [null, 'null'],
    [10, 'the number 10'],
    ['10', 'the string "10"'],
    ['x'.repeat(100), `the string "${'x'.repeat(60)}…"`],
    [10n, 'the bigint 10'],
    [true, 'the boolean true'],
    [Symbol('s'), 'the symbol Symbol(s)'],
    [{}, 'an object'],
    [Object.create(null), 'an object'],
    [generator, 'an object'],
    [hostile, 'an object'],
    [[], 'an array'],
    [() => {}, 'a function'],
    [function save() {}, 'the function "save"'],
    [new AbortController(), 'an AbortController'],
    [Promise.resolve(), 'a Promise'],
  ]);
  expect([...shown.keys()].map(show)).toEqual([...shown.values()]);
});

describe('defineDispose', () => {
  class Handle {
    close(): string {
      return 'closed';
    }
  }

  test('gives a prototype the same function as the named twin', () => {
    defineDispose(Handle, 'close');
    defineDispose(Handle, 'close', 'asyncDispose');
    const handle = new Handle() as Handle & Disposable & AsyncDisposable;
    expect(handle[Symbol.dispose]).toBe(handle.close);
    expect(handle[Symbol.asyncDispose]).toBe(handle.close);
  });

  test('adds nothing enumerable', () => {
    expect(Object.keys(Handle.prototype)).toEqual([]);
  });
});
