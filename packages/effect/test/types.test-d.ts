import { broadcast, type LaggedError } from '@quiesce/broadcast-channel';
import { CancellationToken, type Source } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import {
  acquireIn,
  effectFromScope,
  effectFromSelect,
  effectFromSource,
  effectFromWork,
  openScope,
  runEffect,
  type StreamSource,
  sourceFromDeferred,
  sourceFromQueue,
  sourceFromStream,
  streamFromBroadcast,
  streamFromChannel,
  streamFromSource,
} from '@quiesce/effect';
import { type CurrentShutdown, inFlight, launch, shutdownLayer } from '@quiesce/effect/node';
import type { Scope, Task } from '@quiesce/scope';
import { Shutdown } from '@quiesce/shutdown';
import {
  type Cause,
  Context,
  type Deferred,
  Effect,
  type Scope as EffectScope,
  type Layer,
  type Queue,
  Stream,
} from 'effect';
import { expectTypeOf } from 'vitest';

interface Db {
  readonly query: string;
}
const Db = Context.Service<Db>('Db');
const withDb = Effect.map(Db, ({ query }) => query);
declare const s: Scope;
declare const context: Context.Context<Db>;

// The success of the Effect is the value of the promise. Services are required.
expectTypeOf(runEffect(Effect.succeed(1))).toEqualTypeOf<Promise<number>>();
expectTypeOf(runEffect(withDb, { context })).toEqualTypeOf<Promise<string>>();
// @ts-expect-error Type 'Db' is not assignable to type 'never'
void runEffect(withDb);
// @ts-expect-error No overload matches this call
void runEffect(withDb, { signal: new CancellationToken() });
expectTypeOf(
  acquireIn(
    s,
    Effect.acquireRelease(Effect.succeed(1), () => Effect.void),
  ),
).toEqualTypeOf<Task<number>>();
expectTypeOf(acquireIn(s, withDb, { context })).toEqualTypeOf<Task<string>>();
// @ts-expect-error Type 'Db' is missing the following properties from type 'Scope'
void acquireIn(s, withDb);

// Promise code has no typed failures, unless `catch` gives them a type.
expectTypeOf(effectFromWork(async () => 1)).toEqualTypeOf<Effect.Effect<number, unknown>>();
expectTypeOf(effectFromWork(async () => 1, { catch: () => 'no' as const })).toEqualTypeOf<
  Effect.Effect<number, 'no'>
>();
effectFromWork(async () => 'late', { onLate: (value) => expectTypeOf(value).toEqualTypeOf<string>() });
expectTypeOf(effectFromScope(async () => 1)).toEqualTypeOf<Effect.Effect<number, unknown>>();
expectTypeOf(openScope()).toEqualTypeOf<Effect.Effect<Scope, never, EffectScope.Scope>>();

const [, rx] = channel<number>(1);
const [, news] = broadcast<string>(1);
expectTypeOf(effectFromSource(rx)).toEqualTypeOf<Effect.Effect<number, unknown>>();
expectTypeOf(streamFromChannel(rx)).toEqualTypeOf<Stream.Stream<number>>();
expectTypeOf(streamFromBroadcast(news)).toEqualTypeOf<Stream.Stream<string, LaggedError>>();
expectTypeOf(streamFromSource(rx, { catch: () => 1 })).toEqualTypeOf<Stream.Stream<number, number>>();

// A select returns a discriminated union, as always.
const outcome = await runEffect(effectFromSelect(() => ({ rx, news, work: async () => true })));
if (outcome.branch === 'rx') expectTypeOf(outcome.value).toEqualTypeOf<number>();
else if (outcome.branch === 'news') expectTypeOf(outcome.value).toEqualTypeOf<string>();
else expectTypeOf(outcome.value).toEqualTypeOf<boolean>();
// @ts-expect-error Type 'number' is not assignable to type 'Branch'
effectFromSelect(() => ({ wrong: 1 }));

declare const deferred: Deferred.Deferred<number, string>;
declare const queue: Queue.Queue<number, Cause.Done>;
expectTypeOf(sourceFromDeferred(deferred)).toEqualTypeOf<Source<number>>();
expectTypeOf(sourceFromQueue(queue)).toEqualTypeOf<Source<number>>();
export const numbers: StreamSource<number> = sourceFromStream(Stream.make(1));
// @ts-expect-error Type 'Db' is not assignable to type 'never'
sourceFromStream(Stream.fromEffect(withDb));

declare const app: Layer.Layer<Db, string, CurrentShutdown>;
declare const needy: Layer.Layer<string, never, Db | CurrentShutdown>;
expectTypeOf(launch(new Shutdown(), app)).toEqualTypeOf<Promise<Context.Context<Db | CurrentShutdown>>>();
expectTypeOf(launch(new Shutdown(), needy, { context })).toEqualTypeOf<
  Promise<Context.Context<string | CurrentShutdown>>
>();
// @ts-expect-error is not assignable to type 'CurrentShutdown'
void launch(new Shutdown(), needy);
expectTypeOf(shutdownLayer(needy)).toEqualTypeOf<Layer.Layer<string | CurrentShutdown, never, Db>>();
expectTypeOf(inFlight('request', withDb)).toEqualTypeOf<Effect.Effect<string, never, Db | CurrentShutdown>>();
