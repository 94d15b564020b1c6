import {
  type BroadcastReceiver,
  type BroadcastSender,
  type BroadcastTryRecv,
  broadcast,
  type ChannelEnd,
  type LaggedError,
  type WeakBroadcastSender,
} from '@quiesce/broadcast-channel';
import { retained } from '@quiesce/broadcast-channel/testing';
import type { Awaitable, CancellationToken, Source, SourcePromise } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { expectTypeOf } from 'vitest';

const [tx, rx] = broadcast<{ id: number }>(4);
expectTypeOf(tx).toEqualTypeOf<BroadcastSender<{ id: number }>>();
expectTypeOf(rx).toEqualTypeOf<BroadcastReceiver<{ id: number }>>();

expectTypeOf(tx.send).parameters.toEqualTypeOf<[{ id: number }]>();
expectTypeOf(tx.send({ id: 1 })).toEqualTypeOf<number>();
expectTypeOf(rx.recv()).toEqualTypeOf<SourcePromise<{ id: number }>>();
expectTypeOf(rx.recv).toBeCallableWith({ signal: {} as CancellationToken });
expectTypeOf(rx.recv).toBeCallableWith({ signal: {} as AbortSignal });
expectTypeOf(rx.recv).toBeCallableWith({ signal: undefined });
expectTypeOf(rx).toExtend<Source<{ id: number }>>();
expectTypeOf(rx).toExtend<Disposable>();
expectTypeOf(tx).toExtend<Disposable>();
expectTypeOf<LaggedError['missedCount']>().toEqualTypeOf<number>();

expectTypeOf(broadcast.sender<string>(1)).toEqualTypeOf<BroadcastSender<string>>();
expectTypeOf(rx.recvMany(2)).toEqualTypeOf<SourcePromise<{ id: number }[]>>();
expectTypeOf(rx.recvMany).toBeCallableWith(2, { signal: {} as AbortSignal });
const weak = tx.downgrade();
expectTypeOf(weak).toEqualTypeOf<WeakBroadcastSender<{ id: number }>>();
expectTypeOf(weak).toExtend<Disposable>();
expectTypeOf(weak.upgrade()).toEqualTypeOf<BroadcastSender<{ id: number }> | undefined>();
expectTypeOf(tx.closed()).toEqualTypeOf<Awaitable<void>>();
expectTypeOf(tx.closed()).toExtend<Source<void>>();
expectTypeOf(await tx.closed()).toEqualTypeOf<void>();
expectTypeOf(retained(weak)).toEqualTypeOf<{ id: number }[]>();
expectTypeOf(retained(rx)).toEqualTypeOf<{ id: number }[]>();

// Handles of other value types are handles too.
const other: ChannelEnd = broadcast.sender<string>(1);
expectTypeOf(tx.sameChannel(other)).toEqualTypeOf<boolean>();
expectTypeOf(rx.sameChannel(weak)).toEqualTypeOf<boolean>();

for await (const value of rx) expectTypeOf(value).toEqualTypeOf<{ id: number }>();

// The result of tryRecv is narrowed by `ok`, then by `why`.
const got: BroadcastTryRecv<{ id: number }> = rx.tryRecv();
if (got.ok) expectTypeOf(got.value).toEqualTypeOf<{ id: number }>();
else if (got.why === 'lagged') expectTypeOf(got.missedCount).toEqualTypeOf<number>();
else expectTypeOf(got.why).toEqualTypeOf<'empty' | 'closed'>();

const outcome = await select({ message: rx });
expectTypeOf(outcome.value).toEqualTypeOf<{ id: number }>();

// Handles are generic without a constraint: code over them needs no `Sendable`.
function forward<T>(from: BroadcastReceiver<T>, to: BroadcastSender<T>): Promise<number> {
  return from.recv().then((value) => to.send(value));
}
expectTypeOf(forward(rx, tx)).toEqualTypeOf<Promise<number>>();

// @ts-expect-error does not satisfy the constraint 'Sendable'
broadcast<Promise<number>>(4);

// @ts-expect-error does not satisfy the constraint 'Sendable'
broadcast<number | PromiseLike<number>>(4);

// @ts-expect-error Expected 1 arguments, but got 0
broadcast<number>();

// @ts-expect-error Type 'string' is not assignable to type 'number'
tx.send({ id: 'one' });

// @ts-expect-error Property 'value' does not exist on type
got.value;

// @ts-expect-error Type '"drop"' is not assignable to type 'OnLag | undefined'
rx.values({ onLag: 'drop' });

// @ts-expect-error Type 'AbortController' is not assignable to type 'CancellationToken | AbortSignal | undefined'
rx.recv({ signal: new AbortController() });

// @ts-expect-error does not satisfy the constraint 'Sendable'
broadcast.sender<Promise<number>>(4);

// @ts-expect-error is not assignable to parameter of type 'ChannelEnd'
tx.sameChannel({ strongCount: 1 });

// @ts-expect-error 'again' is possibly 'undefined'
((again) => again.send({ id: 1 }))(weak.upgrade());

// @ts-expect-error Expected 1-2 arguments, but got 0
rx.recvMany();

// A signal without a value: `send()` needs no argument.
expectTypeOf(broadcast<void>(1)[0].send()).toEqualTypeOf<number>();
