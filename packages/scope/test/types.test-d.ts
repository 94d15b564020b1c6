import type { CancellationToken, Source } from '@quiesce/cancellation-token';
import { type Scope, ScopeError, scope, type Task, type TaskOutcome, type TaskState } from '@quiesce/scope';
import { select } from '@quiesce/select';
import { expectTypeOf } from 'vitest';

// What the body returns is what the scope gives.
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
  expectTypeOf(task.state).toEqualTypeOf<TaskState>();
  expectTypeOf(s.spawn(({ signal }) => fetch('https://example.org', { signal }))).toEqualTypeOf<Task<Response>>();
  expectTypeOf(s.spawn(() => task)).toEqualTypeOf<Task<{ id: number }>>();

  const ended: TaskOutcome<{ id: number }> = await task.settled();
  if (ended.state === 'fulfilled') expectTypeOf(ended.value).toEqualTypeOf<{ id: number }>();
  else expectTypeOf(ended.reason).toEqualTypeOf<unknown>();

  const outcome = await select({ task, stopped: s.token });
  if (outcome.branch === 'task') expectTypeOf(outcome.value).toEqualTypeOf<{ id: number }>();

  // @ts-expect-error is not assignable to parameter of type '(token: CancellationToken)
  s.spawn(Promise.resolve());

  // @ts-expect-error is not assignable to parameter of type 'Cleanup'
  s.defer(Promise.resolve());

  // @ts-expect-error Property 'value' does not exist on type
  ended.value;

  // @ts-expect-error Cannot assign to 'state' because it is a read-only property
  task.state = 'failed';
});

expectTypeOf<ScopeError['errors']>().toExtend<unknown[]>();
expectTypeOf<ScopeError['code']>().toEqualTypeOf<'ERR_SCOPE'>();
expectTypeOf(ScopeError.prototype).toExtend<AggregateError>();

// @ts-expect-error Object literal may only specify known properties, and 'abort' does not exist
void scope(() => {}, { abort: new AbortController().signal });
