// Awaitables and iterators in the state of Vue, and printed.
import { inspect } from 'node:util';
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { JoinSet } from '@quiesce/scope';
import { describe, expect, test } from 'vitest';
import { reactive } from 'vue';

const token = new CancellationToken();
const [tx, rx] = channel<number>(1);
const [events, listener] = broadcast<number>(1);
const jobs = new JoinSet<number>({ name: 'jobs' });

const kept: [string, () => object, string, string][] = [
  ['cancelled()', () => token.cancelled(), '[object Awaitable]', 'Awaitable { isReady: false }'],
  ['closed() of a broadcast', () => events.closed(), '[object Awaitable]', 'Awaitable { isReady: false }'],
  ['values() of a channel', () => rx.values(), '[object ReceiverIterator]', 'ReceiverIterator { isDone: false }'],
  [
    'values() of a broadcast',
    () => listener.values(),
    '[object ReceiverIterator]',
    'ReceiverIterator { isDone: false }',
  ],
  ['joinNext()', () => jobs.joinNext(), '[object Awaitable]', 'Awaitable {}'],
];

describe.each(kept)('the result of %s', (_, make, tag, text) => {
  test('is not changed by Vue', () => {
    const made = make();
    expect(Object.prototype.toString.call(made)).toBe(tag);
    expect(reactive({ made }).made).toBe(made);
  });

  test('prints its facts, and no internals', () => {
    expect(inspect(make())).toBe(text);
  });
});

test('an awaitable in the state of Vue can be awaited', async () => {
  const tasks = new JoinSet<number>();
  tasks.spawn(async () => 1);
  const stop = new CancellationToken();
  const state = reactive({ next: tasks.joinNext(), stopped: stop.cancelled(), values: rx.values() });
  expect((await state.next)?.status).toBe('fulfilled');
  stop.cancel();
  expect(await state.stopped).toBeUndefined();
  tx.trySend(7);
  expect(await state.values.next()).toEqual({ done: false, value: 7 });
});
