import { CancellationToken, PENDING, type Source, source, type Waiter, wait } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { expect, test } from 'vitest';
import { type Log, microtasks } from './helpers/script.ts';

/** A source that gives results from a list, and wakes when `wake` is called. */
function scripted(...answers: (() => unknown)[]): Source<unknown> & { wake(): void; polls(): number } {
  let waiting: Waiter | undefined;
  let polls = 0;
  const protocol = {
    poll: (): unknown => answers[polls++]?.(),
    park: (waiter: Waiter): void => {
      waiting = waiter;
    },
    unpark: (): void => {},
  };
  return { [source]: protocol, wake: () => waiting?.wake(), polls: () => polls };
}
const pending = (): unknown => PENDING;
const fail = (): never => {
  throw new Error('the source failed');
};

test('takes a ready value synchronously, in the call', async () => {
  const ready = scripted(() => 'value');
  const waiting = wait(ready);
  expect(ready.polls()).toBe(1);
  expect(await waiting).toBe('value');
});

test('polls before and after it parks, at each wake-up until there is a value, and not once more', async () => {
  const slow = scripted(pending, pending, pending, pending, () => 'value', fail);
  const waiting = wait(slow);
  expect(slow.polls()).toBe(2);
  slow.wake();
  expect(slow.polls()).toBe(4);
  slow.wake();
  expect([await waiting, slow.polls()]).toEqual(['value', 5]);
});

test('rejects with the error of `poll`, immediately or later', async () => {
  await expect(wait(scripted(fail))).rejects.toThrow('the source failed');
  const later = scripted(pending, fail);
  const waiting = wait(later);
  expect(() => later.wake()).not.toThrow();
  await expect(waiting).rejects.toThrow('the source failed');
});

test('gives the reason of a token, which is followed if it is a promise', async () => {
  const token = new CancellationToken();
  const waiting = wait(token);
  token.cancel('why');
  expect(await waiting).toBe('why');
  const other = new CancellationToken();
  other.cancel(Promise.resolve('followed'));
  expect(await wait(other)).toBe('followed');
});

test('cancelled() is one object for each token', () => {
  const token = new CancellationToken();
  expect(token.cancelled()).toBe(token.cancelled());
  expect(token.childToken().cancelled()).not.toBe(token.cancelled());
});

test('an await of cancelled() continues in a microtask after the cancellation, with undefined', async () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = root.childToken();
  const waiting = (async () => log.push(`awaited: ${await token.cancelled()}`))();
  await microtasks();
  expect(log).toEqual([]);
  root.cancel('why');
  log.push('cancel returned');
  queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => log.push('four microtasks')))));
  await waiting;
  await microtasks();
  expect(log).toEqual(['cancel returned', 'awaited: undefined', 'four microtasks']);
});

test('an await of a cancelled token continues, too', async () => {
  const token = new CancellationToken();
  token.cancel();
  expect(await token.cancelled()).toBeUndefined();
  expect(await token.cancelled().then(() => 'then')).toBe('then');
});

test.each([undefined, null, Promise.resolve(1), {}, () => {}])(
  'a value that is not a source is refused by name: %s',
  async (value) => {
    await expect(wait(value as never)).rejects.toThrow(/^wait: expected a source, got \w+/);
    expect(() => untilCancelled(new CancellationToken(), value as never)).toThrow(/^untilCancelled: expected a source/);
  },
);
