import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, type Source } from '@quiesce/cancellation-token';
import {
  type AnyOutcome,
  type Branch,
  branchOf,
  type Late,
  type Outcome,
  type Select,
  SelectError,
  type Sleep,
  select,
  sleep,
} from '@quiesce/select';
import { expectTypeOf } from 'vitest';

declare const maybe: boolean;
declare const source: Source<{ id: number }>;
declare const promise: Promise<string> | undefined;
declare const thenable: PromiseLike<Date>;
const token = new CancellationToken();
const { signal } = new AbortController();
const [, rx] = broadcast<bigint>(4);

expectTypeOf(select).toEqualTypeOf<Select>();
expectTypeOf(sleep(1)).toEqualTypeOf<Sleep>();
expectTypeOf(branchOf(1)).toEqualTypeOf<string | undefined>();
expectTypeOf<SelectError['outcome']>().toEqualTypeOf<AnyOutcome | undefined>();
expectTypeOf(SelectError.prototype).toExtend<AggregateError>();

// Names and values are inferred, for every kind of branch.
const outcome = await select({
  token,
  signal,
  rx,
  source,
  tick: sleep(10),
  promise: Promise.resolve('text'),
  thenable,
  work: async (token) => {
    expectTypeOf(token).toEqualTypeOf<CancellationToken>();
    return [1];
  },
  plain: () => true as const,
});
expectTypeOf(outcome.branch).toEqualTypeOf<
  'token' | 'signal' | 'rx' | 'source' | 'tick' | 'promise' | 'thenable' | 'work' | 'plain'
>();
expectTypeOf(outcome.late).toEqualTypeOf<readonly Late[] | undefined>();

/** Fails to compile when a branch is forgotten. */
function exhaustive(it: typeof outcome): string {
  switch (it.branch) {
    case 'token':
    case 'signal':
      expectTypeOf(it.value).toEqualTypeOf<unknown>();
      return 'stopped';
    case 'rx':
      expectTypeOf(it.value).toEqualTypeOf<bigint>();
      return 'message';
    case 'source':
      expectTypeOf(it.value).toEqualTypeOf<{ id: number }>();
      return 'source';
    case 'tick':
      expectTypeOf(it.value).toEqualTypeOf<void>();
      return 'tick';
    case 'promise':
      expectTypeOf(it.value).toEqualTypeOf<string>();
      return 'promise';
    case 'thenable':
      expectTypeOf(it.value).toEqualTypeOf<Date>();
      return 'thenable';
    case 'work':
      expectTypeOf(it.value).toEqualTypeOf<number[]>();
      return 'work';
    case 'plain':
      expectTypeOf(it.value).toEqualTypeOf<true>();
      return 'plain';
  }
}
exhaustive(outcome);

// What is off for certain cannot win; what may be off can.
const some = await select({ off: false, none: undefined, maybe: maybe && rx, promise });
expectTypeOf(some.branch).toEqualTypeOf<'maybe' | 'promise'>();
if (some.branch === 'maybe') expectTypeOf(some.value).toEqualTypeOf<bigint>();
else expectTypeOf(some.value).toEqualTypeOf<string>();

// else is a branch of the outcome.
const idle = await select.biased({ job: maybe && rx, else: () => 'idle' as const });
if (idle.branch === 'else') expectTypeOf(idle.value).toEqualTypeOf<'idle'>();
else expectTypeOf(idle.value).toEqualTypeOf<bigint>();

expectTypeOf(select({ tick: sleep(1) })).toEqualTypeOf<Promise<Outcome<{ tick: Sleep }>>>();
expectTypeOf(select.biased).toBeCallableWith({ token }, { signal: token });
expectTypeOf(select).toBeCallableWith({ token }, { signal, random: () => 0.5 });
expectTypeOf(select).toBeCallableWith({ token }, { signal: undefined, random: undefined });
expectTypeOf<Branch>().toExtend<unknown>();

// Branches that are made elsewhere keep what is known of them.
const branches = { stopped: token, tick: sleep(10) };
expectTypeOf((await select(branches)).branch).toEqualTypeOf<'stopped' | 'tick'>();

// @ts-expect-error This comparison appears to be unintentional because the types
outcome.branch === 'tikc';

switch (outcome.branch) {
  // @ts-expect-error Type '"tokne"' is not comparable to type
  case 'tokne':
    break;
}

// @ts-expect-error Type 'number' is not assignable to type 'Branch'
await select({ token, job: 5 });

// @ts-expect-error Type 'true' is not assignable to type 'Branch'
await select({ token, job: true });

// @ts-expect-error is not assignable to type 'Branch'
await select({ token, controller: new AbortController() });

// @ts-expect-error Property ''give the branch a name that is not a number'' is missing
await select({ 1: token });

// @ts-expect-error Property ''give the branch a name that is not a number'' is missing
await select({ job: rx, '42': token });

// @ts-expect-error is not assignable to type '() => unknown'
await select({ job: maybe && rx, else: 'idle' });

// @ts-expect-error 'random' does not exist in type
await select.biased({ token }, { random: () => 0.5 });

// @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
sleep('10');
