// Tests every handle of every package. A method that is called without its handle throws an error that shows the right call, and
// changes nothing. `console.log` and `JSON.stringify` show facts, and neither internals nor values.
import { createServer } from 'node:http';
import { inspect } from 'node:util';
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
  Semaphore,
  unboundedChannel,
  watch,
} from '@quiesce/channel';
import { HttpDrain } from '@quiesce/http-drain';
import { JoinSet, Scope, TaskTracker } from '@quiesce/scope';
import { interval, sleep } from '@quiesce/select';
import { Shutdown, Terminal } from '@quiesce/shutdown';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { TaskWorker } from '@quiesce/worker-pool/web';
import { describe, expect, it } from 'vitest';

const SECRET = 'a secret that only the receiver may see';

/** One instance of each handle. */
async function handles(): Promise<Record<string, object>> {
  const clock = new VirtualClock();
  const token = new CancellationToken({ name: 'request' });
  const [broadcastSender, broadcastReceiver] = broadcast<string>(4);
  broadcastSender.send(SECRET);
  const [sender, receiver] = channel<string>(4);
  sender.trySend(SECRET);
  const reserved = sender.tryReserve();
  const [unboundedSender] = unboundedChannel<string>();
  const [oneshotSender, oneshotReceiver] = oneshot<string>();
  const [watchSender, watchReceiver] = watch(SECRET);
  const semaphore = new Semaphore(2);
  const mutex = new Mutex();
  const lock = new RwLock();
  const cell = new OnceCell<string>();
  cell.set(SECRET);
  const scope = new Scope();
  const set = new JoinSet<string>();
  const tracker = new TaskTracker();
  const shutdown = new Shutdown({ systemd: false });
  const installation = shutdown.install({ signals: ['SIGUSR2'], errors: false, reportSignal: false });
  installation.dispose();
  const resources = new ResourcePool({ create: () => ({ SECRET }), close: () => {}, max: 1 });
  const lease = await resources.acquire();
  const task = scope.spawn(() => SECRET);
  await task;
  return {
    ...{ clock, token, registration: token.onCancelled(() => {}), dropGuard: token.dropGuard() },
    ...{ broadcastSender, broadcastReceiver, weakBroadcastSender: broadcastSender.downgrade() },
    ...{ sender, receiver, permit: reserved.ok ? reserved.value : {}, weakSender: sender.downgrade() },
    ...{ unboundedSender, oneshotSender, oneshotReceiver, watchSender, watchReceiver },
    ...{ semaphore, semaphorePermit: await semaphore.acquire(), mutex, mutexGuard: await mutex.acquire() },
    ...{ notify: new Notify(), lock, readGuard: await lock.read(), barrier: new Barrier(2), cell },
    ...{ sleep: sleep(1, { clock }), interval: interval(1, { clock }) },
    ...{ scope, task, set, tracker, trackerGuard: tracker.guard() },
    ...{ shutdown, installation, shutdownGuard: shutdown.guard('work'), hook: shutdown.hook('db', () => {}) },
    ...{ terminal: new Terminal({ write: () => {} }), httpDrain: new HttpDrain(createServer()) },
    ...{ workerPool: new WorkerPool({ concurrency: 1 }), resources, lease },
    ...{ taskWorker: new TaskWorker({ postMessage: () => {}, close: () => {} }) },
  };
}

/** The methods that users see: without those of the source protocol, and without those that the sources mark as internal. */
const protocol = ['poll', 'park', 'unpark', 'constructor', 'then', 'toJSON'];
const internal = [
  'start',
  'onTaskEnd',
  'onFailureClaimed',
  'takeLeak',
  'measured',
  'installWith',
  'takeUp',
  'lagged',
  'leave',
  'wake',
  'clearCallback',
  'fire',
  'heard',
];

function methodsOf(handle: object): [string, (...args: unknown[]) => unknown][] {
  const descriptors = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(handle) as object);
  return Object.entries(descriptors).flatMap(([name, { value }]) =>
    typeof value === 'function' && !protocol.includes(name) && !internal.includes(name) ? [[name, value]] : [],
  );
}

const all = await handles();

describe.each(Object.entries(all))('%s', (_, handle) => {
  it.each(methodsOf(handle))(
    '%s, called without its handle, throws an error that shows the right call, and changes nothing',
    async (name, method) => {
      for (const on of [undefined, {}, new EventTarget()]) {
        const before = on === undefined ? [] : Reflect.ownKeys(on);
        let failure: unknown;
        try {
          await Reflect.apply(method, on, []);
        } catch (error) {
          failure = error;
        }
        expect(failure).toBeInstanceOf(TypeError);
        expect((failure as Error).message).toContain(`${name} was called without its `);
        expect(on === undefined ? [] : Reflect.ownKeys(on)).toEqual(before);
      }
    },
  );

  it('prints its facts', () => {
    const texts = [inspect(handle, { depth: 9 }), JSON.stringify({ handle })];
    for (const text of texts) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toMatch(/\bhead|\bnext|\bprev|\bbits|#|\[Circular/);
    }
  });

  it('has the name of its class', () => {
    expect(Object.prototype.toString.call(handle)).toBe(`[object ${handle.constructor.name}]`);
  });
});
