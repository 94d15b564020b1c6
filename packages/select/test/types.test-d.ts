import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, type Source, systemClock } from '@quiesce/cancellation-token';
import {
  type AnyOutcome,
  type Branch,
  branchOf,
  CleanupTimeoutError,
  type Interval,
  interval,
  type Late,
  type Match,
  match,
  type Outcome,
  repeat,
  type Select,
  type SelectEach,
  SelectError,
  type Settled,
  type Sleep,
  select,
  selectEach,
  settle,
  sleep,
  type TrySelect,
  timeout,
  timeoutAt,
  trySelect,
  type Unfinished,
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

// Names and values are inferred for every kind of branch.
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

/** Fails to compile when a branch is missing. */
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

// A branch that is certainly off cannot win; one that may be off can.
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

// Branches that are created elsewhere keep their types.
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

// --- match: guards narrow, written or inferred.
const matched = await select({
  word: match(source, (value): value is { id: 7 } => value.id === 7),
  some: match(Promise.resolve<string | null>(null), (value) => value !== null),
  plain: match(rx, (value) => value > 1n),
  open: match(rx),
  work: match(
    async () => 'text' as string | number,
    (value) => typeof value === 'number',
  ),
  perhaps: match(maybe && rx, (value) => value > 1n),
  stopped: match(token, (reason) => reason instanceof Error),
});
switch (matched.branch) {
  case 'word':
    expectTypeOf(matched.value).toEqualTypeOf<{ id: 7 }>();
    break;
  case 'some':
    expectTypeOf(matched.value).toEqualTypeOf<string>();
    break;
  case 'plain':
  case 'open':
  case 'perhaps':
    expectTypeOf(matched.value).toEqualTypeOf<bigint>();
    break;
  case 'work':
    expectTypeOf(matched.value).toEqualTypeOf<number>();
    break;
  case 'stopped':
    expectTypeOf(matched.value).toEqualTypeOf<Error>();
    break;
  default:
    expectTypeOf(matched).toEqualTypeOf<never>();
}
expectTypeOf(match(source)).toExtend<Branch>();
expectTypeOf(match(false)).toExtend<false | Match<never>>();

// @ts-expect-error Argument of type '5' is not assignable to parameter of type 'Branch'
match(5);

// --- settle, repeat, interval.
const settled = await select({
  rx: settle(rx),
  work: settle(async () => 1),
  off: settle(maybe && promise),
  tick: interval(1),
});
switch (settled.branch) {
  case 'rx':
    expectTypeOf(settled.value).toEqualTypeOf<Settled<bigint>>();
    break;
  case 'work':
    expectTypeOf(settled.value).toEqualTypeOf<Settled<number>>();
    break;
  case 'off':
    expectTypeOf(settled.value).toEqualTypeOf<Settled<string>>();
    break;
  case 'tick':
    expectTypeOf(settled.value).toEqualTypeOf<number>();
}
expectTypeOf(interval(1)).toEqualTypeOf<Interval>();
expectTypeOf(repeat).toBeCallableWith(async (token: CancellationToken) => token.reason);
// @ts-expect-error Type '"sometimes"' is not assignable to type 'MissedTicks | undefined'
interval(1, { missed: 'sometimes' });

// --- trySelect: a branch that cannot be polled synchronously is a type error.
const ready = trySelect({
  rx,
  stopped: token,
  signal,
  gone: maybe && signal,
  even: match(rx, (n) => n > 1n),
  else: () => 'idle',
});
if (ready.ok) expectTypeOf(ready.branch).toEqualTypeOf<'rx' | 'stopped' | 'signal' | 'gone' | 'even' | 'else'>();
else expectTypeOf(ready.why).toEqualTypeOf<'pending' | 'off'>();
if (ready.ok && ready.branch === 'rx') expectTypeOf(ready.value).toEqualTypeOf<bigint>();
expectTypeOf(trySelect).toEqualTypeOf<TrySelect>();
expectTypeOf(trySelect.biased({ rx })).toEqualTypeOf<
  | { readonly ok: true; readonly branch: 'rx'; readonly value: bigint }
  | { readonly ok: false; readonly why: 'pending' | 'off' }
>();

// @ts-expect-error is not assignable to type 'ReadyBranch'
trySelect({ rx, work: async () => 1 });

// @ts-expect-error is not assignable to type 'ReadyBranch'
trySelect({ rx, promise: Promise.resolve(1) });

// @ts-expect-error is not assignable to type 'ReadyBranch'
trySelect({ rx, promise: match(Promise.resolve(1)) });

// --- selectEach.
expectTypeOf(selectEach).toEqualTypeOf<SelectEach>();
for await (const each of selectEach({ rx, poll: repeat(async () => 'polled'), off: null, else: () => 1 }, { signal })) {
  if (each.branch === 'rx') expectTypeOf(each.value).toEqualTypeOf<bigint>();
  else if (each.branch === 'poll') expectTypeOf(each.value).toEqualTypeOf<string>();
  else expectTypeOf(each).toExtend<{ branch: 'else'; value: number }>();
}
// @ts-expect-error Type 'number' is not assignable to type 'Branch'
selectEach({ rx, job: 5 });

// --- timeout.
expectTypeOf(timeout(1, async (token) => token.reason)).toEqualTypeOf<Promise<unknown>>();
expectTypeOf(timeout(1, (token) => (token.isCancelled ? 'a' : 1))).toEqualTypeOf<Promise<'a' | 1>>();
expectTypeOf(timeout(1, rx)).toEqualTypeOf<Promise<bigint>>();
expectTypeOf(timeout(1, thenable)).toEqualTypeOf<Promise<Date>>();
expectTypeOf(timeoutAt(new Date(), Promise.resolve(1), { signal: token })).toEqualTypeOf<Promise<number>>();
// @ts-expect-error Argument of type 'boolean' is not assignable to parameter of type 'Work'
await timeout(1, false);

// --- options.
expectTypeOf(select).toBeCallableWith({ token }, { cleanupTimeout: 5, clock: systemClock });
expectTypeOf<CleanupTimeoutError['unfinished']>().toEqualTypeOf<readonly Unfinished[]>();
expectTypeOf(new CleanupTimeoutError(5, [{ name: 'task', ageMs: 7, site: 'main.ts:3' }])).toExtend<AggregateError>();

// @ts-expect-error Property ''give the branch a name that is a string'' is missing
await select({ [Symbol.iterator]: token });
