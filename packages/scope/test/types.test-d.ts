import type { CancellationToken, Source } from '@quiesce/cancellation-token';
import {
  type Drainable,
  drainable,
  type Joined,
  JoinSet,
  Scope,
  ScopeError,
  type ScopeTree,
  scope,
  shield,
  type Task,
  type TaskOutcome,
  type TaskStatus,
  TaskTracker,
} from '@quiesce/scope';
import { select } from '@quiesce/select';
import { expectTypeOf } from 'vitest';

// The scope returns the result of the body.
expectTypeOf(scope(() => 1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(scope(async () => 'text')).toEqualTypeOf<Promise<string>>();
expectTypeOf(scope((s) => s.spawn(async () => 1))).toEqualTypeOf<Promise<number>>();
expectTypeOf(scope((s) => expectTypeOf(s).toEqualTypeOf<Scope>())).toEqualTypeOf<Promise<true>>();
expectTypeOf(scope).toBeCallableWith(() => {}, { signal: {} as AbortSignal, name: 'page' });
expectTypeOf(scope).toBeCallableWith(() => {}, { signal: {} as CancellationToken });
expectTypeOf(scope).toBeCallableWith(() => {}, { signal: undefined, name: undefined });

await scope(async (s) => {
  const task = s.spawn(async (token) => {
    expectTypeOf(token).toEqualTypeOf<CancellationToken>();
    return { id: 1 };
  });
  expectTypeOf(task).toEqualTypeOf<Task<{ id: number }>>();
  expectTypeOf(await task).toEqualTypeOf<{ id: number }>();
  expectTypeOf(task).toExtend<Source<{ id: number }>>();
  expectTypeOf(task.status).toEqualTypeOf<TaskStatus>();
  expectTypeOf(s.spawn(({ signal }) => fetch('https://example.org', { signal }))).toEqualTypeOf<Task<Response>>();
  expectTypeOf(s.spawn(() => task)).toEqualTypeOf<Task<{ id: number }>>();

  const ended: TaskOutcome<{ id: number }> = await task.settled();
  if (ended.status === 'fulfilled') expectTypeOf(ended.value).toEqualTypeOf<{ id: number }>();
  else expectTypeOf(ended.reason).toEqualTypeOf<unknown>();

  const outcome = await select({ task, stopped: s.token });
  if (outcome.branch === 'task') expectTypeOf(outcome.value).toEqualTypeOf<{ id: number }>();

  // @ts-expect-error is not assignable to parameter of type '(token: CancellationToken)
  s.spawn(Promise.resolve());

  // @ts-expect-error is not assignable to parameter of type 'Cleanup'
  s.defer(Promise.resolve());

  // @ts-expect-error Property 'value' does not exist on type
  ended.value;

  // @ts-expect-error Cannot assign to 'status' because it is a read-only property
  task.status = 'rejected';
});

expectTypeOf<ScopeError['errors']>().toExtend<unknown[]>();
expectTypeOf<ScopeError['code']>().toEqualTypeOf<'ERR_SCOPE'>();
expectTypeOf(ScopeError.prototype).toExtend<AggregateError>();

// @ts-expect-error Object literal may only specify known properties, and 'abort' does not exist
void scope(() => {}, { abort: new AbortController().signal });

// Blocks, readiness, and several tasks.
expectTypeOf(new Scope({ name: 'block', timeout: 5 }).join()).toEqualTypeOf<Promise<void>>();
expectTypeOf<Scope>().toExtend<AsyncDisposable>();
await scope(async (s) => {
  const { task, value } = await s.start(async (_token, ready: (port: number) => void) => {
    ready(8080);
    return 'closed';
  });
  expectTypeOf(value).toEqualTypeOf<number>();
  expectTypeOf(task).toEqualTypeOf<Task<string>>();
  expectTypeOf(s.map(['a'], async (word, token, index) => ({ word, token, index }))).toEqualTypeOf<
    Task<{ word: string; token: CancellationToken; index: number }[]>
  >();
  expectTypeOf(s.race([async () => 1, () => 'text'])).toEqualTypeOf<Task<number | string>>();
  expectTypeOf(s.any([async () => 1])).toEqualTypeOf<Task<number>>();
  expectTypeOf(s.use(Promise.resolve({ id: 1 }), (resource) => resource.id)).toEqualTypeOf<Task<{ id: number }>>();
  expectTypeOf(s.task('key')).toEqualTypeOf<Task<unknown> | undefined>();
  expectTypeOf(s.tree()).toEqualTypeOf<ScopeTree>();
  expectTypeOf(shield(async () => 1)).toEqualTypeOf<Promise<number>>();

  // @ts-expect-error Type '"queue"' is not assignable to type
  s.spawn(() => {}, { key: 1, onConflict: 'queue' });

  // @ts-expect-error Type '"isolated"' is not assignable to type
  s.spawn(() => {}, { onFailure: 'isolated' });
});

// Sets and trackers.
const set = new JoinSet<number>();
expectTypeOf(set.spawn(async () => 1)).toEqualTypeOf<Task<number>>();
expectTypeOf(set.joinAll()).toEqualTypeOf<Promise<number[]>>();
const joined = await set.joinNext();
expectTypeOf(joined).toEqualTypeOf<Joined<number> | undefined>();
if (joined?.status === 'fulfilled') expectTypeOf(joined.value).toEqualTypeOf<number>();
else if (joined !== undefined) expectTypeOf(joined.reason).toEqualTypeOf<unknown>();
const next = await select({ next: set.joinNext(), stopped: {} as CancellationToken });
if (next.branch === 'next') expectTypeOf(next.value).toEqualTypeOf<Joined<number> | undefined>();
// @ts-expect-error Type 'string' is not assignable to type 'number | PromiseLike<number>'
set.spawn(() => 'text');

const tracker = new TaskTracker({ name: 'requests' });
expectTypeOf(tracker).toExtend<Drainable>();
expectTypeOf(tracker.track(Promise.resolve(1))).toEqualTypeOf<Promise<number>>();
expectTypeOf(tracker.spawn(() => Promise.resolve('text'))).toEqualTypeOf<Promise<string>>();
expectTypeOf(tracker.guard()).toExtend<Disposable>();
expectTypeOf(tracker.wait()).toExtend<Source<void>>();

// The type of `ready` determines the type of `value`; without a type it takes no argument.
void scope(async (s) => {
  const bare = await s.start(async (_token, ready) => ready());
  expectTypeOf(bare.value).toEqualTypeOf<void>();
  const typed = await s.start((_token, ready: () => void) => {
    ready();
    return 1;
  });
  expectTypeOf(typed.task).toEqualTypeOf<Task<number>>();
});
const parts = { inFlightCount: () => 0, stop: () => {}, drain: async (token: CancellationToken) => token.name };
expectTypeOf(drainable({ name: 'mails', ...parts })).toEqualTypeOf<Drainable>();
// @ts-expect-error Property 'name' is missing
drainable(parts);
// @ts-expect-error Type 'number' is not assignable to type '() => number'
drainable({ name: 'mails', ...parts, inFlightCount: 0 });
// @ts-expect-error Type 'void' is not assignable to type 'PromiseLike<unknown>'
drainable({ name: 'mails', ...parts, drain: () => {} });
expectTypeOf<Drainable['drain']>().parameter(0).toEqualTypeOf<CancellationToken | AbortSignal>();
