import { inspect } from 'node:util';
import { defineInspect } from '@quiesce/internal';
import { expect, test } from 'vitest';

class Handle {
  static readonly described: object = defineInspect(Handle, (handle) => ({
    name: handle.#name,
    length: 2,
    reason: handle.reason,
  }));
  readonly #name: string | undefined;
  readonly payload: string = 'secret';
  readonly reason: unknown;

  constructor(name?: string, reason?: unknown) {
    this.#name = name;
    this.reason = reason;
  }
}

test('console.log prints the facts of a handle that are defined, and no internals', () => {
  expect(inspect(new Handle('jobs'))).toBe("Handle { name: 'jobs', length: 2 }");
  expect(inspect({ at: { depth: new Handle() } })).toBe('{ at: { depth: Handle { length: 2 } } }');
});

test('JSON has the facts, and texts in place of objects', () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const reasons = [circular, 10n, Symbol('s'), new Error('failed'), new Date(0), 'text', null];
  expect(reasons.map((reason) => JSON.parse(JSON.stringify(new Handle('jobs', reason))).reason)).toEqual([
    '[object Object]',
    '10',
    'Symbol(s)',
    'Error: failed',
    '1970-01-01T00:00:00.000Z',
    'text',
    null,
  ]);
  expect(JSON.stringify(new Handle('jobs'))).toBe('{"name":"jobs","length":2}');
});

test('a handle gives its class, and adds nothing enumerable', () => {
  expect(String(new Handle())).toBe('[object Handle]');
  const seen: string[] = [];
  for (const key in new Handle()) seen.push(key);
  expect(seen).toEqual(['payload', 'reason']);
});

test('an object that is not a handle is printed, too', () => {
  expect(inspect(Object.create(Handle.prototype))).toBe('Handle {}');
  expect(JSON.stringify(Object.create(Handle.prototype))).toBe('{}');
  expect(inspect(new Proxy(new Handle('jobs'), {}))).toBe('Handle {}');
});
