import type { CancellationToken, Source } from '@quiesce/cancellation-token';
import type { WatchReceiver } from '@quiesce/channel';
import { TaskTracker } from '@quiesce/scope';
import {
  formatReport,
  type LogEvent,
  type Logger,
  type PinoLogger,
  runMain,
  Shutdown,
  type ShutdownEvent,
  type ShutdownHandle,
  type ShutdownOutcome,
  type ShutdownProgress,
  type ShutdownReport,
  type ShutdownState,
  shutdownWithTimeout,
  type Terminal,
  type WinstonLogger,
} from '@quiesce/shutdown';
import type bunyan from 'bunyan';
import type { FastifyBaseLogger } from 'fastify';
import type { pino } from 'pino';
import { expectTypeOf } from 'vitest';
import winston from 'winston';

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

expectTypeOf<pino.Logger>().toExtend<PinoLogger>();
expectTypeOf<FastifyBaseLogger>().toExtend<PinoLogger>();
expectTypeOf<bunyan>().toExtend<PinoLogger>();
expectTypeOf<winston.Logger>().toExtend<WinstonLogger>();
expectTypeOf(winston).toExtend<Logger>();
expectTypeOf<Terminal>().toExtend<Logger>();
expectTypeOf<{ log(text: unknown): void; warn(text: unknown): void; error(text: unknown): void }>().toExtend<Logger>();

const logger = (event: LogEvent): void => {
  if (event.event === 'cut off') expectTypeOf(event.cutOffCount).toEqualTypeOf<number>();
  if (event.event === 'report') expectTypeOf(event.report).toEqualTypeOf<ShutdownReport>();
  expectTypeOf(event.state).toEqualTypeOf<ShutdownState>();
  // @ts-expect-error Property 'where' does not exist on type
  event.where;
};
expectTypeOf(logger).toExtend<Logger>();

// @ts-expect-error is not assignable to type 'false | Logger | undefined'
new Shutdown({ logger: { info: () => {}, warn: () => {}, error: () => {} } });

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
