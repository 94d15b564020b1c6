import type { CancellationToken, Source } from '@quiesce/cancellation-token';
import type { WatchReceiver } from '@quiesce/channel';
import { TaskTracker } from '@quiesce/scope';
import {
  formatReport,
  type Logger,
  runMain,
  Shutdown,
  type ShutdownEvent,
  type ShutdownHandle,
  type ShutdownOutcome,
  type ShutdownProgress,
  type ShutdownReport,
  type ShutdownState,
  shutdownWithTimeout,
} from '@quiesce/shutdown';
import { expectTypeOf } from 'vitest';

const shutdown = new Shutdown({ name: 'api', timeout: 1, logger: console, signal: {} as AbortSignal });
expectTypeOf(shutdown.state).toEqualTypeOf<ShutdownState>();
expectTypeOf(shutdown.stopAccepting).toEqualTypeOf<CancellationToken>();
expectTypeOf(shutdown.watch()).toEqualTypeOf<WatchReceiver<ShutdownProgress>>();
expectTypeOf(shutdown.watch()).toExtend<Source<ShutdownProgress>>();
expectTypeOf(shutdown.stopped()).toEqualTypeOf<Promise<ShutdownReport>>();
expectTypeOf(shutdown.request('why')).toEqualTypeOf<boolean>();
expectTypeOf(shutdown.hook('db', (token) => void token.isCancelled)).toEqualTypeOf<ShutdownHandle>();
expectTypeOf(shutdown.add(new TaskTracker())).toEqualTypeOf<ShutdownHandle>();
expectTypeOf(formatReport(shutdown.report())).toEqualTypeOf<string>();
expectTypeOf(console).toExtend<Logger>();

// The relevant part of a pino logger: overloads, and more levels.
interface Pino {
  info(object: object, text?: string, ...more: unknown[]): void;
  info(text: string, ...more: unknown[]): void;
  warn(text: string, ...more: unknown[]): void;
  error(text: string, ...more: unknown[]): void;
  fatal(text: string): void;
}
expectTypeOf<Pino>().toExtend<Logger>();

const outcome = await shutdownWithTimeout(async () => 1, 5);
expectTypeOf(outcome).toEqualTypeOf<ShutdownOutcome<number>>();
if (outcome.status === 'fulfilled') expectTypeOf(outcome.value).toEqualTypeOf<number>();
else expectTypeOf(outcome.hasEnded).toEqualTypeOf<boolean>();

// @ts-expect-error Property 'value' does not exist on type
outcome.value;

const event = {} as ShutdownEvent;
if (event.type === 'state') expectTypeOf(event.state).toEqualTypeOf<ShutdownState>();

// @ts-expect-error Type '"running"' is not assignable to type 'HookPhase
shutdown.hook('x', () => {}, { phase: 'running' });

// @ts-expect-error is not assignable to parameter of type 'HookFunction'
shutdown.hook('x', Promise.resolve());

// @ts-expect-error Cannot assign to 'state' because it is a read-only property
shutdown.state = 'stopped';

// @ts-expect-error Object literal may only specify known properties, and 'drain' does not exist
new Shutdown({ drain: 1 });

// @ts-expect-error is missing the following properties from type 'Drainable'
shutdown.add({ name: 'x' });

expectTypeOf(runMain).toBeCallableWith(async (scope, own) => {
  expectTypeOf(own).toEqualTypeOf<Shutdown>();
  return scope.spawn(async () => 1);
});
