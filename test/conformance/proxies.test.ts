// Every handle of every package, behind the proxies and as the copies that state libraries make. Nothing can work there: a waiter
// would be parked on a proxy, and never be found again. Each member therefore throws an error that shows what to do.

import { createServer } from 'node:http';
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  oneshot,
  RwLock,
  type RwLockWriteGuard,
  Semaphore,
  unboundedChannel,
  watch,
} from '@quiesce/channel';
import { sourceFromStream } from '@quiesce/effect';
import { HttpDrain } from '@quiesce/http-drain';
import { JoinSet, Scope, TaskTracker } from '@quiesce/scope';
import { interval, select, sleep } from '@quiesce/select';
import { Shutdown } from '@quiesce/shutdown';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { TaskWorker } from '@quiesce/worker-pool/web';
import { Stream } from 'effect';
import { describe, expect, it } from 'vitest';
import { reactive, readonly } from 'vue';

/** Makes a proxy of a value and of every object that is read from it; with `all`, also of functions and their results. */
function deepProxy<T extends object>(value: T, all = false, known: WeakMap<object, object> = new WeakMap()): T {
  const wrap = (read: unknown): unknown => {
    // By the language, a promise behind a proxy is not a promise.
    if (read instanceof Promise) return read;
    const isWrapped = (typeof read === 'object' && read !== null) || (all && typeof read === 'function');
    return isWrapped ? deepProxy(read as object, all, known) : read;
  };
  const made =
    known.get(value) ??
    new Proxy(value, {
      get: (target, key, receiver) => {
        const own = Reflect.getOwnPropertyDescriptor(target, key);
        const read: unknown = Reflect.get(target, key, receiver);
        return own?.configurable === false || key === 'prototype' ? read : wrap(read);
      },
      apply: (target, self, args) => wrap(Reflect.apply(target as never, self, args)),
    });
  known.set(value, made);
  return made as T;
}

/** Makes a copy with the same prototype, recursively, as valtio does. */
function deepCopy<T extends object>(value: T, known: Map<object, object> = new Map()): T {
  const seen = known.get(value);
  if (seen !== undefined) return seen as T;
  const made: Record<PropertyKey, unknown> = Object.create(Object.getPrototypeOf(value));
  known.set(value, made);
  for (const key of Reflect.ownKeys(value)) {
    const read: unknown = Reflect.get(value, key);
    made[key] = typeof read === 'object' && read !== null ? deepCopy(read, known) : read;
  }
  return made as T;
}

const imitations: Readonly<Record<string, <T extends object>(value: T) => T>> = {
  'a proxy': (value) => new Proxy(value, {}),
  'a deep proxy': (value) => deepProxy({ state: { value } }).state.value,
  'a deep proxy around functions, too': (value) => deepProxy({ state: { value } }, true).state.value,
  'a deep proxy that makes a new one at each reading': (value) => {
    const forgetful = <U extends object>(target: U): U =>
      new Proxy(target, {
        get: (inner, key, receiver) => {
          const read: unknown = Reflect.get(inner, key, receiver);
          return typeof read === 'object' && read !== null ? forgetful(read) : read;
        },
      });
    return forgetful({ value }).value;
  },
  'a copy': (value) => Object.assign(Object.create(Object.getPrototypeOf(value)), value),
  'a deep copy': (value) => deepCopy(value),
  'what inherits from it': (value) => Object.create(value),
};

const clock = new VirtualClock();
const never = (): Promise<never> => new Promise(() => {});

function locked(): { lock: RwLock; guard: RwLockWriteGuard } {
  const lock = new RwLock();
  const tried = lock.tryWrite();
  if (!tried.ok) throw new Error('a new lock is free');
  return { lock, guard: tried.value };
}

function shutdownOf(): Shutdown {
  return new Shutdown({ clock });
}

/** Results of calls that have methods of their own. */
const handles: Readonly<Record<string, () => object | Promise<object>>> = {
  token: () => new CancellationToken(),
  'token.cancelled()': () => new CancellationToken().cancelled(),
  registration: () => new CancellationToken().onCancelled(() => {}),
  'token.dropGuard()': () => new CancellationToken().dropGuard(),
  'virtual clock': () => new VirtualClock(),
  'sender of a channel': () => channel<number>(1)[0],
  'receiver of a channel': () => channel<number>(1)[1],
  'unbounded sender': () => unboundedChannel<number>()[0],
  'weak sender': () => channel<number>(1)[0].downgrade(),
  'sender.closed()': () => channel<number>(1)[0].closed(),
  'sender.reserve()': () => channel<number>(1)[0].reserve(),
  permit: () => channel<number>(1)[0].reserve(),
  permits: () => channel<number>(2)[0].reserveMany(2),
  'values() of a channel': () => channel<number>(1)[1].values(),
  'oneshot sender': () => oneshot<number>()[0],
  'oneshot receiver': () => oneshot<number>()[1],
  'watch sender': () => watch(0)[0],
  'watch receiver': () => watch(0)[1],
  'broadcast sender': () => broadcast<number>(1)[0],
  'broadcast receiver': () => broadcast<number>(1)[1],
  'weak broadcast sender': () => broadcast<number>(1)[0].downgrade(),
  'closed() of a broadcast': () => broadcast<number>(1)[0].closed(),
  'values() of a broadcast': () => broadcast<number>(1)[1].values(),
  semaphore: () => new Semaphore(1),
  'semaphore permit': () => new Semaphore(1).acquire(),
  mutex: () => new Mutex(),
  'mutex guard': () => new Mutex().acquire(),
  'mutex.acquire()': () => new Mutex().acquire(),
  lock: () => new RwLock(),
  'read guard': () => new RwLock().read(),
  'write guard': () => locked().guard,
  notify: () => new Notify(),
  'notify.notified()': () => new Notify().notified(),
  barrier: () => new Barrier(2),
  'once cell': () => new OnceCell<number>(),
  sleep: () => sleep(1, { clock }),
  interval: () => interval(1, { clock }),
  scope: () => new Scope(),
  task: () => new Scope().spawn(never),
  'join set': () => new JoinSet<number>(),
  'joinNext()': () => new JoinSet<number>().joinNext(),
  'task tracker': () => new TaskTracker(),
  'tracker.wait()': () => new TaskTracker().wait(),
  'tracker guard': () => new TaskTracker().guard(),
  'resource pool': () => new ResourcePool({ create: () => 1, max: 1 }),
  lease: () => new ResourcePool({ create: () => 1, max: 1 }).acquire(),
  'worker pool': () => new WorkerPool({ concurrency: 1 }),
  'task worker': () => new TaskWorker({ postMessage: () => {}, close: () => {} }),
  'http drain': () => new HttpDrain(createServer()),
  shutdown: shutdownOf,
  'shutdown guard': () => shutdownOf().guard('upload'),
  'shutdown hook': () => shutdownOf().hook('flush', () => {}),
  'source of a stream': () => sourceFromStream(Stream.make(1)),
};

/** Values that give a handle when they are awaited, and are not handles here. */
const awaited: ReadonlySet<string> = new Set([
  'permit',
  'permits',
  'semaphore permit',
  'mutex guard',
  'read guard',
  'lease',
]);

async function made(name: string): Promise<{ readonly handle: object }> {
  const given = handles[name]?.() as object;
  return { handle: awaited.has(name) ? await (given as Promise<object>) : given };
}

/** Members that may be read of anything: they print, or return the iterator itself, whose `next` throws. */
const harmless: ReadonlySet<PropertyKey> = new Set([
  ...['constructor', 'toJSON', Symbol.toStringTag, Symbol.iterator, Symbol.asyncIterator],
  ...['nodejs.util.inspect.custom', 'quiesce.token'].map((name) => Symbol.for(name)),
]);
/** Members that are marked `@internal`. The first ones are the protocol of classes that are their own source; `source` guards them. */
const internal: ReadonlySet<PropertyKey> = new Set([
  ...['once', 'poll', 'park', 'unpark'],
  ...['start', 'started', 'info', 'onTaskEnd', 'onFailureClaimed', 'parent', 'clearCallback', 'fire'],
]);

/** Returns the members of a handle's class that a user can reach. */
function membersOf(handle: object): PropertyKey[] {
  const found: PropertyKey[] = [];
  for (let at = Object.getPrototypeOf(handle); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) {
      const isOwn = String(key) !== 'Symbol(quiesce.node)' && !harmless.has(key) && !internal.has(key);
      if (isOwn) found.push(key);
    }
  }
  return found;
}

/** Returns the result of reading or calling a member: an error, or a value. */
async function failureOf(imitation: object, key: PropertyKey): Promise<unknown> {
  try {
    const member: unknown = Reflect.get(imitation, key, imitation);
    if (typeof member !== 'function') return `${String(key)} could be read`;
    const args = [() => {}, () => {}];
    const given: unknown = key === 'then' ? await (imitation as object) : Reflect.apply(member, imitation, args);
    await given;
    return `${String(key)} could be called`;
  } catch (error) {
    return error;
  }
}

describe.each(Object.keys(handles))('%s', (name) => {
  it.each(Object.keys(imitations))('does not work behind %s, and stays unchanged', async (kind) => {
    const { handle } = await made(name);
    const imitation = imitations[kind]?.(handle) as object;
    const wrong: string[] = [];
    const members = membersOf(handle);
    expect(members.length).toBeGreaterThan(0);
    for (const key of members) {
      const error = await failureOf(imitation, key);
      const isRight =
        error instanceof TypeError && /this is a proxy or a copy of an? |called without its /.test(error.message);
      if (!isRight) wrong.push(`${String(key)}: ${String(error)}`);
    }
    expect(wrong).toEqual([]);
    expect(() => JSON.stringify(imitation)).not.toThrow();
  });

  it('is left unchanged by Vue', async () => {
    const { handle } = await made(name);
    expect(reactive({ handle }).handle).toBe(handle);
    expect(readonly({ handle }).handle).toBe(handle);
  });
});

describe.each(Object.keys(imitations))('behind %s', (kind) => {
  const imitate = imitations[kind] as <T extends object>(value: T) => T;

  it('a branch is rejected, and the others stay unchanged', async () => {
    const [tx, rx] = channel<number>(1);
    const [, other] = channel<number>(1);
    tx.trySend(1);
    for (const wrong of [imitate(other), imitate(sleep(1, { clock })), imitate(new CancellationToken())]) {
      await expect(select({ job: rx.recv(), wrong } as never)).rejects.toThrow('this is a proxy or a copy of a');
    }
    expect(rx.length).toBe(1);
  });

  it('an argument is rejected', async () => {
    const [tx, rx] = channel<number>(1);
    const [events, listener] = broadcast<number>(1);
    const [level, levels] = watch(0);
    const stop = new CancellationToken();
    const semaphore = new Semaphore(2);
    const [one, two] = [await semaphore.acquire(), await semaphore.acquire()];
    const wrong: readonly (() => unknown)[] = [
      () => tx.sameChannel(imitate(tx)),
      () => events.sameChannel(imitate(listener)),
      () => listener.sameChannel(imitate(events)),
      () => level.sameChannel(imitate(level)),
      () => levels.sameChannel(imitate(levels)),
      () => one.merge(imitate(two)),
      () => CancellationToken.any([imitate(stop)]),
      () => rx.recv({ signal: imitate(stop) }),
      () => sleep(1, { clock: imitate(clock) }),
      () => new Scope({ signal: imitate(stop) }),
    ];
    for (const call of wrong) {
      await expect((async () => call())(), String(call)).rejects.toThrow(/a proxy or a copy of a|no proxy of one/);
    }
    expect([tx.sameChannel(tx), one.permitCount, two.permitCount, stop.isCancelled]).toEqual([true, 1, 1, false]);
  });

  it('other waits are not disturbed', async () => {
    const [tx, rx] = channel<number>(1);
    const mutex = new Mutex();
    const held = await mutex.acquire();
    const waiting = [rx.recv(), mutex.acquire().then(() => 'held')];
    const tries: readonly (() => unknown)[] = [
      () => imitate(tx).trySend(1),
      () => imitate(tx).send(1),
      () => imitate(rx).recv(),
      () => imitate(rx).dispose(),
      () => imitate(mutex).acquire(),
      () => imitate(held).release(),
    ];
    for (const act of tries) await expect((async () => act())()).rejects.toThrow(TypeError);
    tx.trySend(7);
    held.release();
    expect(await Promise.all(waiting)).toEqual([7, 'held']);
  });
});
