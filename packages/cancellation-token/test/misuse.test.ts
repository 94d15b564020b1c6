// Tokens and registrations that are taken apart, wrapped in proxies, written as JSON, or mixed with a user's objects.
import { EventEmitter } from 'node:events';
import { CancellationToken, source, waiter } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { reactive, readonly, ref, shallowReactive } from 'vue';
import type { Log } from './helpers/script.ts';

type Method = (this: unknown) => unknown;

/** Returns the methods of a class that users call, by name. */
function methodsOf(prototype: object): [string, Method][] {
  const internal = ['constructor', 'poll', 'park', 'unpark', 'clearCallback', 'fire', 'toJSON'];
  return Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { value }]) =>
    typeof value === 'function' && !internal.includes(name) ? [[name, value as Method] as [string, Method]] : [],
  );
}

/** Returns the error that a call throws or rejects with. */
async function failure(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call succeeded');
}

const handles: [string, object][] = [
  ['token', new CancellationToken()],
  ['registration', new CancellationToken().onCancelled(() => {})],
  ['guard', new CancellationToken().dropGuard()],
];

describe.each(handles)('a method of a %s', (handle, made) => {
  const methods = methodsOf(Object.getPrototypeOf(made));

  test.each(methods)(
    'throws a TypeError that says how to call it when it is called without its handle: %s',
    async (name, method) => {
      const emitter = new EventEmitter();
      for (const wrong of [undefined, null, 5, emitter, {}]) {
        const before = JSON.stringify(wrong);
        const error = await failure(() => method.call(wrong));
        expect(error).toBeInstanceOf(TypeError);
        expect(error.message).toMatch(`${name} was called without its ${handle}`);
        expect(error.message).toMatch(`pass a function that calls ${handle}.${name}()`);
        expect(JSON.stringify(wrong)).toBe(before);
      }
    },
  );

  test.each(methods)('throws when it is called on a proxy or a copy, and changes nothing: %s', async (name, method) => {
    const copy = Object.assign(Object.create(Object.getPrototypeOf(made)), made);
    for (const wrong of [new Proxy(made, {}), copy]) {
      const error = await failure(() => method.call(wrong));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toMatch(`${name}: this is a proxy or a copy of a ${handle}`);
    }
  });
});

/** Wraps a value and every object that is read from it in a proxy, as some state libraries do. */
function deepProxy<T extends object>(value: T): T {
  return new Proxy(value, {
    get: (target, key, receiver) => {
      const read: unknown = Reflect.get(target, key, receiver);
      return typeof read === 'object' && read !== null ? deepProxy(read) : read;
    },
  });
}

test('a deep proxy around a token harms neither that token nor others', () => {
  const log: Log = [];
  const parent = new CancellationToken();
  const [token, sibling] = [parent.childToken(), parent.childToken()];
  const registration = token.onCancelled(() => log.push('token'));
  sibling.onCancelled(() => log.push('sibling'));
  const state = deepProxy({ token, registration });
  expect(() => state.token.cancel()).toThrow('this is a proxy or a copy of a token');
  expect(() => state.token.isCancelled).toThrow('this is a proxy or a copy of a token');
  expect(() => state.registration.dispose()).toThrow('this is a proxy or a copy of a registration');
  expect(() => CancellationToken.from(state.token)).toThrow(TypeError);
  parent.cancel();
  expect(log).toEqual(['token', 'sibling']);
});

describe.each([
  ['reactive', (token: CancellationToken) => reactive({ job: { token } }).job.token],
  ['ref', (token: CancellationToken) => ref({ token }).value.token],
  ['shallowReactive', (token: CancellationToken) => shallowReactive({ token }).token],
  ['readonly', (token: CancellationToken) => readonly({ token }).token],
  ['ref of the token itself', (token: CancellationToken) => ref(token).value],
])('in the state of Vue: %s', (_, keep) => {
  test('a token stays the original token', () => {
    const parent = new CancellationToken();
    const token = parent.childToken();
    const log: Log = [];
    token.onCancelled((reason) => log.push(String(reason)));
    const kept = keep(token) as CancellationToken;
    expect(kept).toBe(token);
    expect([kept.cancel('stop'), log, parent.isCancelled]).toEqual([true, ['stop'], false]);
  });
});

test('JSON of tokens, observed or not, is small, names them, and holds no internals', () => {
  const named = new CancellationToken({ name: 'request' });
  named.onCancelled(() => {});
  const child = named.childToken();
  child.onCancelled(() => {});
  expect(JSON.stringify({ named, child })).toBe(
    '{"named":{"name":"request","state":"active"},"child":{"state":"active"}}',
  );
  const circular: { self?: unknown } = {};
  circular.self = circular;
  named.cancel(circular);
  expect(JSON.stringify(child)).toBe('{"state":"cancelled","reason":"[object Object]"}');
});

test.each(['flags', 'parentOrReason', 'head', 'fn', 'onCancel', 'fire'])(
  "a user's waiter may have a field called %s",
  (field) => {
    const log: Log = [];
    const token = new CancellationToken();
    const child = token.childToken();
    child.onCancelled(() => log.push('callback'));
    const waiting = waiter(() => log.push('woken'));
    Object.assign(waiting, { [field]: 1 });
    token[source].park(waiting);
    token.cancel();
    expect(log).toEqual(['woken', 'callback']);

    const disposed = token.detached().childToken();
    disposed[source].park(waiting);
    disposed.dispose();
    disposed[source].unpark(waiting);
  },
);
