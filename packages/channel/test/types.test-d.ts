import type { Awaitable, CancellationToken, Source, SourcePromise, Tried } from '@quiesce/cancellation-token';
import {
  Barrier,
  type BarrierWaitResult,
  channel,
  Mutex,
  type MutexGuard,
  type Notified,
  Notify,
  OnceCell,
  type OneshotReceiver,
  type OneshotSender,
  oneshot,
  type Permit,
  type Receiver,
  RwLock,
  type RwLockReadGuard,
  type RwLockWriteGuard,
  Semaphore,
  type SemaphorePermit,
  type SendError,
  type Sender,
  type UnboundedSender,
  unboundedChannel,
  type WatchReceiver,
  type WatchSender,
  type WeakSender,
  watch,
} from '@quiesce/channel';
import { select } from '@quiesce/select';
import { expectTypeOf } from 'vitest';

interface Job {
  id: number;
}

const [tx, rx] = channel<Job>(4);
expectTypeOf(tx).toEqualTypeOf<Sender<Job>>();
expectTypeOf(rx).toEqualTypeOf<Receiver<Job>>();
expectTypeOf(tx.send({ id: 1 })).toEqualTypeOf<Promise<void>>();
expectTypeOf(tx.send).toBeCallableWith({ id: 1 }, { signal: {} as CancellationToken, timeout: 5 });
expectTypeOf(tx.send).toBeCallableWith({ id: 1 }, { signal: {} as AbortSignal });
expectTypeOf(tx.send).toBeCallableWith({ id: 1 }, { signal: undefined, timeout: undefined });
expectTypeOf(tx.trySend({ id: 1 })).toEqualTypeOf<Tried<void, 'full' | 'closed'>>();
expectTypeOf(tx.reserve()).toEqualTypeOf<Awaitable<Permit<Job>>>();
expectTypeOf(await tx.reserve()).toEqualTypeOf<Permit<Job>>();
expectTypeOf(tx.tryReserve()).toEqualTypeOf<Tried<Permit<Job>, 'full' | 'closed'>>();
expectTypeOf(tx.downgrade()).toEqualTypeOf<WeakSender<Sender<Job>>>();
expectTypeOf(tx.downgrade().upgrade()).toEqualTypeOf<Sender<Job> | undefined>();
expectTypeOf(tx.closed()).toEqualTypeOf<Awaitable<void>>();
expectTypeOf(rx.recv()).toEqualTypeOf<SourcePromise<Job>>();
expectTypeOf(rx.recv()).toExtend<Promise<Job>>();
expectTypeOf(rx.recvMany(3)).toEqualTypeOf<SourcePromise<Job[]>>();
expectTypeOf(rx).toExtend<Source<Job>>();
expectTypeOf(tx.reserve()).toExtend<Source<Permit<Job>>>();
for (const handle of [tx, rx, tx.downgrade()]) expectTypeOf(handle).toExtend<Disposable>();
for await (const job of rx) expectTypeOf(job).toEqualTypeOf<Job>();

// Results are narrowed by `ok`, then by `why`.
const got: Tried<Job, 'empty' | 'closed'> = rx.tryRecv();
if (got.ok) expectTypeOf(got.value).toEqualTypeOf<Job>();
else expectTypeOf(got.why).toEqualTypeOf<'empty' | 'closed'>();
const reserved = tx.tryReserve();
if (reserved.ok) expectTypeOf(reserved.value).toEqualTypeOf<Permit<Job>>();

const [out, into] = unboundedChannel<string>();
expectTypeOf(out).toEqualTypeOf<UnboundedSender<string>>();
expectTypeOf(into).toEqualTypeOf<Receiver<string>>();
expectTypeOf(out.send('a')).toEqualTypeOf<void>();

const [reply, answer] = oneshot<number>();
expectTypeOf(reply).toEqualTypeOf<OneshotSender<number>>();
expectTypeOf(answer).toEqualTypeOf<OneshotReceiver<number>>();
expectTypeOf(await answer).toEqualTypeOf<number>();

// The first value determines the type that can be watched, not a literal type.
const [level, levels] = watch('info');
expectTypeOf(level).toEqualTypeOf<WatchSender<string>>();
expectTypeOf(levels).toEqualTypeOf<WatchReceiver<string>>();
expectTypeOf(watch<'on' | 'off'>('on')[1].borrow()).toEqualTypeOf<'on' | 'off'>();
expectTypeOf(watch<Job | undefined>(undefined)[1].changed()).toEqualTypeOf<SourcePromise<Job | undefined>>();

expectTypeOf(await new Semaphore(1).acquire()).toEqualTypeOf<SemaphorePermit>();
expectTypeOf(new Semaphore(1).tryAcquire()).toEqualTypeOf<Tried<SemaphorePermit, 'no-permits' | 'closed'>>();
expectTypeOf(new Mutex().tryAcquire()).toEqualTypeOf<Tried<MutexGuard, 'locked'>>();
expectTypeOf(await new Mutex().acquire()).toEqualTypeOf<MutexGuard>();
expectTypeOf<SendError<Job>['value']>().toEqualTypeOf<Job>();

const notify = new Notify();
expectTypeOf(notify.notified({ timeout: 5 })).toEqualTypeOf<Notified>();
expectTypeOf(await notify.notified()).toEqualTypeOf<void>();
expectTypeOf(notify.notified()).toExtend<Source<void> & Disposable>();
expectTypeOf(new RwLock({ maxReaders: 4 }).read()).toEqualTypeOf<Awaitable<RwLockReadGuard>>();
expectTypeOf(await new RwLock().write()).toEqualTypeOf<RwLockWriteGuard>();
expectTypeOf((await new RwLock().write()).downgrade()).toEqualTypeOf<RwLockReadGuard>();
expectTypeOf(new RwLock().tryWrite()).toEqualTypeOf<Tried<RwLockWriteGuard, 'locked'>>();
expectTypeOf(await new Barrier(2).wait()).toEqualTypeOf<BarrierWaitResult>();
const cell = new OnceCell<Job>();
expectTypeOf(
  cell.getOrInit(async (token) => ({ id: expectTypeOf(token).toEqualTypeOf<CancellationToken>() ? 1 : 2 })),
).toEqualTypeOf<Awaitable<Job>>();
expectTypeOf(cell.get()).toEqualTypeOf<Job | undefined>();
expectTypeOf(cell.set({ id: 1 })).toEqualTypeOf<Tried<void, 'initialized' | 'initializing'>>();
expectTypeOf(OnceCell.from('a')).toEqualTypeOf<OnceCell<string>>();

// @ts-expect-error Type 'string' is not assignable to type 'number'
cell.getOrInit(() => ({ id: 'one' }));

const passed = await select({
  ready: notify.notified(),
  read: new RwLock().read(),
  job: cell.getOrInit(() => ({ id: 1 })),
});
if (passed.branch === 'read') expectTypeOf(passed.value).toEqualTypeOf<RwLockReadGuard>();
if (passed.branch === 'job') expectTypeOf(passed.value).toEqualTypeOf<Job>();

const outcome = await select({ room: tx.reserve(), job: rx, guard: new Mutex().acquire(), answer, gone: tx.closed() });
if (outcome.branch === 'room') expectTypeOf(outcome.value).toEqualTypeOf<Permit<Job>>();
if (outcome.branch === 'job') expectTypeOf(outcome.value).toEqualTypeOf<Job>();
if (outcome.branch === 'guard') expectTypeOf(outcome.value).toEqualTypeOf<MutexGuard>();
if (outcome.branch === 'answer') expectTypeOf(outcome.value).toEqualTypeOf<number>();

// Handles are generic without a constraint: code over them needs no `Sendable`.
async function forward<T>(from: Receiver<T>, to: Sender<T>): Promise<void> {
  for await (const value of from) await to.send(value);
}
expectTypeOf(forward(rx, tx)).toEqualTypeOf<Promise<void>>();

// @ts-expect-error does not satisfy the constraint 'Sendable'
channel<Promise<number>>(4);

// @ts-expect-error does not satisfy the constraint 'Sendable'
unboundedChannel<PromiseLike<number>>();

// @ts-expect-error does not satisfy the constraint 'Sendable'
oneshot<number | Promise<number>>();

// @ts-expect-error Expected 2 arguments, but got 1
watch(Promise.resolve(1));

// @ts-expect-error Expected 1 arguments, but got 0
channel<number>();

// @ts-expect-error Type 'string' is not assignable to type 'number'
void tx.send({ id: 'one' });

// @ts-expect-error Property 'value' does not exist on type
got.value;

// @ts-expect-error Type 'AbortController' is not assignable to type 'CancellationToken | AbortSignal | undefined'
void rx.recv({ signal: new AbortController() });

// A signal without a value: `send()` needs no argument.
expectTypeOf(channel<void>(1)[0].send()).toEqualTypeOf<Promise<void>>();
expectTypeOf(unboundedChannel<void>()[0].send()).toEqualTypeOf<void>();
expectTypeOf(oneshot<void>()[0].send()).toEqualTypeOf<boolean>();
