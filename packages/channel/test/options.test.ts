// Options of waits: an unknown one is a mistake of the caller, and the error names the call.
import { broadcast } from '@quiesce/broadcast-channel';
import { Barrier, channel, Mutex, Notify, OnceCell, oneshot, RwLock, Semaphore, watch } from '@quiesce/channel';
import { expect, test } from 'vitest';

const [tx, rx] = channel<number>(1);
const [, seen] = watch(0);
const [news, reader] = broadcast<number>(1);
news.send(1);

test.each<[string, (options: never) => unknown]>([
  ['recv', (options) => rx.recv(options)],
  ['recvMany', (options) => rx.recvMany(2, options)],
  ['send', (options) => tx.send(1, options)],
  ['reserve', (options) => tx.reserve(options)],
  ['values', (options) => rx.values(options)],
  ['changed', (options) => seen.changed(options)],
  ['waitFor', (options) => seen.waitFor(() => true, options)],
  ['recv', (options) => oneshot<number>()[1].recv(options)],
  ['acquire', (options) => new Semaphore(1).acquire(options)],
  ['acquireMany', (options) => new Semaphore(2).acquireMany(2, options)],
  ['acquire', (options) => new Mutex().acquire(options)],
  ['read', (options) => new RwLock().read(options)],
  ['write', (options) => new RwLock().write(options)],
  ['notified', (options) => new Notify().notified(options)],
  ['wait', (options) => new Barrier(1).wait(options)],
  ['getOrInit', (options) => new OnceCell<number>().getOrInit(() => 1, options)],
  ['recv', (options) => reader.recv(options)],
  ['recvMany', (options) => reader.recvMany(1, options)],
  ['values', (options) => reader.values(options)],
])('%s refuses an option that it does not know, and takes nothing', async (call, run) => {
  const refused = new TypeError(`${call}: there is no option "token"; did you mean "signal"?`);
  await expect((async () => run({ token: undefined } as never))()).rejects.toEqual(refused);
  expect([rx.length, reader.length]).toEqual([0, 1]);
});
