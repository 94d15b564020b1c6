// A wake-up must not throw. An error of one ends in the uncaught handler, whichever list its waiter was parked in.
import { reportUncaught, type Source, setUncaughtHandler, source, type Waiter } from '@quiesce/cancellation-token';
import { channel, oneshot, Semaphore, watch } from '@quiesce/channel';
import { sleep } from '@quiesce/select';
import { afterEach, expect, test } from 'vitest';

afterEach(() => void setUncaughtHandler(undefined));

const sources: [string, () => { readonly from: Source<unknown>; readonly wake: () => unknown }][] = [
  [
    'a channel',
    () => {
      const [tx, rx] = channel<number>(1);
      return { from: rx, wake: () => tx.trySend(1) };
    },
  ],
  [
    'the end of a receiver',
    () => {
      const [tx, rx] = channel<number>(1);
      return { from: tx.closed(), wake: () => rx.close() };
    },
  ],
  [
    'a watch',
    () => {
      const [tx, rx] = watch(0);
      return { from: rx, wake: () => tx.send(1) };
    },
  ],
  [
    'a oneshot',
    () => {
      const [tx, rx] = oneshot<number>();
      return { from: rx, wake: () => tx.send(1) };
    },
  ],
  [
    'a semaphore',
    () => {
      const semaphore = new Semaphore(0);
      return { from: semaphore.acquire(), wake: () => semaphore.addPermits(1) };
    },
  ],
  ['a sleep', () => ({ from: sleep(1), wake: () => new Promise((resolve) => setTimeout(resolve, 20)) })],
];

test.each(sources)('an error of a wake-up is reported when its waiter is parked on %s', async (_, make) => {
  const seen: unknown[] = [];
  setUncaughtHandler((error) => seen.push(error));
  const { from, wake } = make();
  const throwing: Waiter = {
    next: undefined,
    prev: undefined,
    owner: undefined,
    wake: () => {
      throw 'bad manners';
    },
  };
  from[source].park(throwing);
  await wake();
  reportUncaught('reported');
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['bad manners', 'reported']);
});
