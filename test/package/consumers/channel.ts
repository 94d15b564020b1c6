// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import type { Awaitable } from '@quiesce/cancellation-token';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  oneshot,
  type Permit,
  type Receiver,
  RwLock,
  Semaphore,
  SendError,
  type Sender,
  unboundedChannel,
  watch,
} from '@quiesce/channel';

function expect(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)} instead of ${String(wanted)}`);
}

const [tx, rx]: [Sender<number>, Receiver<number>] = channel<number>(1);
const room: Awaitable<Permit<number>> = tx.reserve();
void room.then(async (permit) => {
  permit.send(1);
  const waiting = tx.send(2).catch((error: unknown) => error);
  rx.close();
  const failed = await waiting;
  expect(failed instanceof SendError && failed.value, 2, 'the value that was not sent');
  expect(await rx.recv(), 1, 'the value that was sent');
  expect(rx.tryRecv().ok, false, 'the end');
});

const [out, into] = unboundedChannel<string>();
out.send('here');
const next = into.tryRecv();
expect(next.ok && next.value, 'here', 'the unbounded channel');

const [reply, answer] = oneshot<number>();
expect(reply.send(42), true, 'the oneshot');
void answer.then((value: number) => expect(value, 42, 'the answer'));

const [level, levels] = watch('info');
level.send('debug');
expect(levels.borrow(), 'debug', 'the watched value');

const permit = new Semaphore(1).tryAcquire();
expect(permit.ok && permit.value.permitCount, 1, 'the permit');
const lock = new Mutex();
const guard = lock.tryAcquire();
expect(lock.tryAcquire().ok, false, 'the lock');
if (guard.ok) guard.value.release();
expect(lock.isLocked, false, 'the lock');

const readWrite = new RwLock({ maxReaders: 2 });
const writer = readWrite.tryWrite();
expect(readWrite.tryRead().ok, false, 'the lock for writing');
if (writer.ok) writer.value.downgrade().release();
expect(readWrite.isLocked, false, 'the lock for writing');

const notify = new Notify();
notify.notifyOne();
expect(notify.notified().enable(), true, 'the notification');

const cell = new OnceCell<number>();
void cell.getOrInit(async () => 7).then((value: number) => expect(value, 7, 'the value that was made once'));
void new Barrier(1).wait().then(({ isLeader }) => expect(isLeader, true, 'the barrier of one'));
