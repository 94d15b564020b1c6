import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CancellationToken, reportUncaught, setUncaughtHandler } from '@quiesce/cancellation-token';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';
import { callback, idleWaiter, type Log, microtasks, waiter } from './helpers/script.ts';

const log: Log = [];
const fail = (text: string) => (): never => {
  throw text;
};

beforeEach(() => {
  log.length = 0;
  setUncaughtHandler((error) => log.push(`uncaught: ${error}`));
});
afterEach(() => {
  setUncaughtHandler(undefined);
});

test('callbacks that throw do not stop the others; their errors come after the whole notification, in order', async () => {
  const token = new CancellationToken();
  token.onCancelled(fail('first'));
  callback(log, token, 'callback');
  token.childToken().onCancelled(fail('below'));
  waiter(log, token, 'waiter', fail('of a waiter'));
  callback(log, token.childToken(), 'below');
  expect(token.cancel()).toBe(true);
  log.push('cancel returned');
  await microtasks();
  expect(log).toEqual([
    'callback',
    'waiter',
    'below',
    'cancel returned',
    'uncaught: first',
    'uncaught: of a waiter',
    'uncaught: below',
  ]);
});

test('cancelling works as before after a callback has thrown', async () => {
  for (const name of ['one', 'two']) {
    const token = new CancellationToken();
    token.onCancelled(fail(name));
    token.cancel();
  }
  await microtasks();
  expect(log).toEqual(['uncaught: one', 'uncaught: two']);
});

test('a callback that is registered too late and throws does not throw at the caller', async () => {
  const token = new CancellationToken();
  token.cancel();
  expect(() => token.onCancelled(fail('late'))).not.toThrow();
  expect(log).toEqual([]);
  await microtasks();
  expect(log).toEqual(['uncaught: late']);
});

test('any thrown value arrives unchanged', async () => {
  const thrown = [undefined, null, 0, new Error('x')];
  const seen: unknown[] = [];
  setUncaughtHandler((error) => seen.push(error));
  for (const error of thrown) reportUncaught(error);
  await microtasks();
  expect(seen).toEqual(thrown);
});

test('the previous handler is returned, and undelivered errors go to the new one', async () => {
  const first = (): void => void log.push('first');
  setUncaughtHandler(first);
  reportUncaught('error');
  expect(setUncaughtHandler((error) => log.push(`second: ${error}`))).toBe(first);
  await microtasks();
  expect(log).toEqual(['second: error']);
  setUncaughtHandler(undefined);
  expect(setUncaughtHandler(undefined)).toBeUndefined();
});

test('a value that is not a function is refused and changes nothing', async () => {
  for (const wrong of [null, 'handler', {}]) expect(() => setUncaughtHandler(wrong as never)).toThrow(TypeError);
  reportUncaught('error');
  await microtasks();
  expect(log).toEqual(['uncaught: error']);
});

test('without a handler errors are uncaught in the platform’s sense, after the notification', async () => {
  const path = fileURLToPath(new URL('fixtures/throwing-callbacks.ts', import.meta.url));
  const output = execFileSync(process.execPath, await nodeArgs(path), { encoding: 'utf8' });
  expect(output.trim().split('\n')).toEqual([
    'the next callback',
    'cancel returned',
    'uncaughtException: first',
    'uncaughtException: below',
    'a later microtask',
    'a later macrotask',
  ]);
});

test('a waiter that throws although it must not is treated like a callback', async () => {
  const token = new CancellationToken();
  const other = idleWaiter(log, 'never');
  waiter(log, token, 'woken', fail('bad manners'));
  callback(log, token, 'next');
  token.cancel();
  await microtasks();
  expect(log).toEqual(['woken', 'next', 'uncaught: bad manners']);
  expect(other.owner).toBeUndefined();
});
