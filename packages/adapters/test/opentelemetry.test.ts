// Spans and metrics, with the SDK of OpenTelemetry, which keeps them in memory.
import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { context, metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { traced, tracedScope, traceShutdown } from '@quiesce/adapters/opentelemetry';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope, TaskTracker } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { Shutdown, shutdownChannel } from '@quiesce/shutdown';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const exporter = new InMemorySpanExporter();
const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer('test');

beforeEach(() => {
  exporter.reset();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => context.disable());

/** The ended spans, with the name of the parent of each, its status, its error and its events. */
function spans(): unknown[] {
  const all = exporter.getFinishedSpans();
  return all.map(({ name, attributes, events, status, parentSpanContext }) => ({
    name,
    parent: all.find((span) => span.spanContext().spanId === parentSpanContext?.spanId)?.name,
    status: attributes['quiesce.status'],
    ...(status.code !== SpanStatusCode.UNSET && { error: status.message }),
    ...(events.length > 0 && { events: events.map((event) => [event.name, event.attributes]) }),
  }));
}

describe('traced', () => {
  test('work that fulfils has a span, which is the parent of spans in it', async () => {
    const work = traced('page', (n: number) => traced('user', async () => n + 1, { tracer })(), { tracer });
    expect(await work(1)).toBe(2);
    expect(spans()).toEqual([
      { name: 'user', parent: 'page', status: 'fulfilled' },
      { name: 'page', parent: undefined, status: 'fulfilled' },
    ]);
  });

  test('work that returns no promise, and work that throws, end their spans synchronously', () => {
    expect(traced('sum', () => 3, { tracer })()).toBe(3);
    const failing = traced('failing', () => JSON.parse('{'), { tracer });
    expect(() => failing()).toThrow(SyntaxError);
    expect(spans()).toMatchObject([
      { name: 'sum', status: 'fulfilled' },
      { name: 'failing', status: 'rejected', events: [['exception', { 'exception.type': 'SyntaxError' }]] },
    ]);
  });

  test('cancelled work has the event `cancelled` with the reason, and no error', async () => {
    const token = new CancellationToken();
    const work = traced('wait', (token: CancellationToken) => token.runUntilCancelled(new Promise(() => {})), {
      tracer,
    });
    const waiting = work(token);
    const stopped = traced(
      'stopped',
      async (token: CancellationToken) => {
        await token.cancelled();
        token.throwIfCancelled();
      },
      { tracer },
    )(token);
    token.cancel('deploy');
    await expect(stopped).rejects.toBe('deploy');
    await waiting;
    const events = [['cancelled', { 'quiesce.reason': 'deploy' }]];
    expect(spans()).toEqual([
      { name: 'stopped', parent: undefined, status: 'cancelled', events },
      { name: 'wait', parent: undefined, status: 'fulfilled', events },
    ]);
  });

  test.each([
    ['as the argument', (signal: AbortSignal) => signal],
    ['in the options of a function of the platform', (signal: AbortSignal) => ({ signal })],
  ])('work with a signal %s is cancelled by it, as by a token', async (_, argumentOf) => {
    const token = new CancellationToken();
    const work = traced(
      'wait',
      (_url: string, _given: unknown) => token.cancelled().then(() => token.throwIfCancelled()),
      {
        tracer,
      },
    );
    const waiting = work('/user', argumentOf(token.signal));
    token.cancel('deploy');
    await expect(waiting).rejects.toBe('deploy');
    expect(spans()).toEqual([
      { name: 'wait', parent: undefined, status: 'cancelled', events: [['cancelled', { 'quiesce.reason': 'deploy' }]] },
    ]);
  });

  test('a signal that outlives the work keeps no listener of it', async () => {
    const { signal } = new AbortController();
    await traced('quick', async (_: AbortSignal) => {}, { tracer })(signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('a cancellation after the end of the work adds no event, and leaves no listener', async () => {
    const token = new CancellationToken();
    await traced('quick', async (_: CancellationToken) => {}, { tracer })(token);
    token.cancel('late');
    expect(spans()).toEqual([{ name: 'quick', parent: undefined, status: 'fulfilled' }]);
  });

  test('it wraps the tasks of `spawn`, the items of `map` and the branches of `select`', async () => {
    await scope(async (s) => {
      await s.spawn(traced('task', async (token) => token.isCancelled, { tracer }));
      expect(
        await s.map(
          [1, 2],
          traced('item', async (n: number) => n * 2, { tracer }),
        ),
      ).toEqual([2, 4]);
      const winner = traced('winner', async () => 'won', { tracer });
      const loser = traced(
        'loser',
        async (token: CancellationToken) => {
          await token.cancelled();
          throw token.reason;
        },
        { tracer },
      );
      await select({ winner, loser });
    });
    expect(spans()).toMatchObject([
      { name: 'task', status: 'fulfilled' },
      { name: 'item', status: 'fulfilled' },
      { name: 'item', status: 'fulfilled' },
      { name: 'winner', status: 'fulfilled' },
      { name: 'loser', status: 'cancelled', events: [['cancelled', { 'quiesce.source': 'select' }]] },
    ]);
  });

  test('a thenable that takes a value is followed once', async () => {
    let takenCount = 0;
    // biome-ignore lint/suspicious/noThenProperty: it stands for a receive, which takes a value for each `then`
    const receive = { then: (resolve: (n: number) => void) => resolve(++takenCount) };
    expect(await traced('receive', () => receive as PromiseLike<number>, { tracer })()).toBe(1);
    expect(takenCount).toBe(1);
  });

  test.each([
    ['traced', () => traced(1 as never, () => 1), /^traced: expected a name, got the number 1/],
    [
      'work',
      () => traced('a', 'b' as never),
      /^traced: expected a function, got the string "b"; write traced\(name, work/,
    ],
    [
      'option',
      () => traced('a', () => 1, { name: 'b' } as never),
      /^traced: there is no option "name"; the options are/,
    ],
    ['tracer', () => traced('a', () => 1, { tracer: {} as never }), /^traced: tracer: expected a Tracer, got/],
    ['shutdown', () => traceShutdown({} as never), /^traceShutdown: expected a Shutdown, got/],
    ['meter', () => traceShutdown(new Shutdown(), { meter: {} as never }), /^traceShutdown: meter: expected a Meter/],
    ['flush', () => traceShutdown(new Shutdown(), { flush: 1 as never }), /^traceShutdown: flush: expected a function/],
    ['sdk', () => traceShutdown(new Shutdown(), { sdk: 1 } as never), /^traceShutdown: there is no option "sdk"/],
  ])('a wrong %s is refused by name', (_, call, text) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(text);
  });
});

describe('tracedScope', () => {
  test('the span lasts until the last task and cleanup have ended', async () => {
    await tracedScope(
      'checkout',
      async (s) => {
        expect(s.name).toBe('checkout');
        s.defer(traced('cleanup', async () => {}, { tracer }));
        void s.spawn(traced('task', () => Promise.resolve(), { tracer }));
      },
      { tracer },
    );
    expect(spans()).toEqual([
      { name: 'task', parent: 'checkout', status: 'fulfilled' },
      { name: 'cleanup', parent: 'checkout', status: 'fulfilled' },
      { name: 'checkout', parent: undefined, status: 'fulfilled' },
    ]);
  });

  test('a failure of a task is the error of the scope, and the reason for its other tasks', async () => {
    const failing = tracedScope(
      'page',
      async (s) => {
        s.spawn(traced('orders', (token) => token.cancelled().then(() => token.throwIfCancelled()), { tracer }));
        s.spawn(
          traced('user', () => Promise.reject(new Error('404')), { tracer }),
          { name: 'user' },
        );
      },
      { tracer },
    );
    await expect(failing).rejects.toThrow('404');
    const sibling = { 'quiesce.source': 'sibling', 'quiesce.cause': 'Error: 404' };
    expect(spans()).toMatchObject([
      { name: 'user', parent: 'page', status: 'rejected', error: 'Error: 404' },
      { name: 'orders', parent: 'page', status: 'cancelled', events: [['cancelled', sibling]] },
      {
        name: 'page',
        status: 'rejected',
        error: 'Error: 404',
        events: [
          ['cancelled', sibling],
          ['exception', {}],
        ],
      },
    ]);
  });

  test('a timeout is an event with its reason, and the options of `scope` are checked', async () => {
    const clock = new VirtualClock();
    const late = tracedScope('slow', (s) => s.token.cancelled().then(() => {}), { tracer, timeout: 5, clock });
    const refused = expect(late).rejects.toThrow('Timed out after 5 ms');
    await clock.advance(5);
    await refused;
    expect(spans()).toMatchObject([
      {
        name: 'slow',
        status: 'cancelled',
        events: [['cancelled', { 'quiesce.reason': 'TimeoutError: Timed out after 5 ms' }]],
      },
    ]);
    await expect(tracedScope('a', () => 1, { tracer, timeot: 5 } as never)).rejects.toThrow('did you mean "timeout"?');
  });
});

describe('traceShutdown', () => {
  function start() {
    const clock = new VirtualClock();
    const collected = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter: collected, exportIntervalMillis: 1_000_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const shutdown = new Shutdown({
      name: 'shop',
      clock,
      drainTimeout: 100,
      cancelTimeout: 50,
      progressInterval: Number.POSITIVE_INFINITY,
    });
    /** The values of one instrument that were sent last, with their attributes. */
    const values = (name: string): unknown[] =>
      (collected.getMetrics().at(-1)?.scopeMetrics ?? [])
        .flatMap((scope) => scope.metrics)
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }): readonly DataPoint<number | { sum?: number }>[] => dataPoints)
        .map(({ value, attributes: { 'quiesce.shutdown': shutdown, ...attributes } }) => [
          typeof value === 'number' ? value : value.sum,
          ...Object.values(attributes),
          shutdown,
        ]);
    return { clock, provider, shutdown, values, meter: provider.getMeter('test') };
  }

  test('the durations of phases, hooks and drains are sent before the process ends, with the work that was cut off', async () => {
    const { clock, provider, shutdown, values, meter } = start();
    traceShutdown(shutdown, { tracer, meter, flush: () => provider.shutdown() });
    const jobs = new TaskTracker({ name: 'jobs' });
    shutdown.add(jobs);
    void jobs.spawn(() => sleep(120, { clock }));
    shutdown.hook('db', () => sleep(30, { clock }));
    shutdown.hook('logs', () => sleep(2, { clock }), { phase: 'final' });
    shutdown.request('deploy');
    await clock.run(() => shutdown.stopped());
    expect(values('quiesce.shutdown.phase.duration')).toEqual([
      [0, 'stopping', 'shop'],
      [0.12, 'draining', 'shop'],
      [0.03, 'cleanup', 'shop'],
    ]);
    expect(values('quiesce.shutdown.hook.duration')).toEqual([
      [0.03, 'db', 'done', 'shop'],
      [0.002, 'logs', 'done', 'shop'],
    ]);
    expect(values('quiesce.shutdown.drain.duration')).toContainEqual([0.12, 'jobs', 'drained', 'shop']);
    expect(values('quiesce.shutdown.cut_off')).toEqual([[1, 'jobs', 'shop']]);
    expect(values('quiesce.in_flight')).toEqual([[0, 'shop']]);
  });

  test('the gauge shows the work in progress before a shutdown, and is removed after it', async () => {
    const { clock, provider, shutdown, values, meter } = start();
    traceShutdown(shutdown, { tracer, meter });
    const guard = shutdown.guard('import');
    await provider.forceFlush();
    expect(values('quiesce.in_flight')).toEqual([[1, 'shop']]);
    guard.dispose();
    shutdown.request();
    await clock.run(() => shutdown.stopped());
    await provider.forceFlush();
    expect(values('quiesce.in_flight')).toEqual([[1, 'shop']]);
    await provider.shutdown();
  });

  test('the gauge is removed also when the flush fails', async () => {
    const { clock, provider, shutdown, values, meter } = start();
    traceShutdown(shutdown, { tracer, meter, flush: () => Promise.reject(new Error('collector down')) });
    shutdown.request();
    const { exitCode } = await clock.run(() => shutdown.stopped());
    await provider.forceFlush();
    expect([exitCode, values('quiesce.in_flight')]).toEqual([1, []]);
    await provider.shutdown();
  });

  test('the span of a shutdown has an event for each step, and ends before the flush', async () => {
    const { clock, provider, shutdown, meter } = start();
    let endedCount = 0;
    traceShutdown(shutdown, { tracer, meter, flush: () => (endedCount = exporter.getFinishedSpans().length) });
    shutdown.hook('db', () => Promise.reject(new Error('disk full')));
    shutdown.request('deploy');
    await clock.run(() => shutdown.stopped());
    const [span] = exporter.getFinishedSpans();
    expect([span?.name, span?.attributes, span?.status.message, endedCount]).toEqual([
      'shutdown',
      { 'quiesce.shutdown': 'shop', 'quiesce.exit_code': 1 },
      'Error: disk full',
      1,
    ]);
    const events = span?.events.map(({ name, attributes }) => [name, attributes]);
    expect(events).toContainEqual(['requested', { 'quiesce.kind': 'call', 'quiesce.reason': 'deploy' }]);
    expect(events).toContainEqual(['state', { 'quiesce.state': 'draining' }]);
    expect(events).toContainEqual([
      'hook:end',
      { 'quiesce.hook': 'db', 'quiesce.phase': 'cleanup', 'quiesce.outcome': 'failed', 'quiesce.duration_ms': 0 },
    ]);
    await provider.shutdown();
  });

  test('it ignores other shutdowns, is refused a second time, and leaves no subscriber', async () => {
    const { clock, provider, shutdown, meter } = start();
    traceShutdown(shutdown, { tracer, meter });
    expect(() => traceShutdown(shutdown, { tracer, meter })).toThrow('opentelemetry');
    const other = new Shutdown();
    other.request();
    await other.stopped();
    expect(exporter.getFinishedSpans()).toEqual([]);
    shutdown.request();
    await clock.run(() => shutdown.stopped());
    expect(exporter.getFinishedSpans()).toHaveLength(1);
    expect(diagnosticsChannel(shutdownChannel).hasSubscribers).toBe(false);
    await provider.shutdown();
  });
});

test('without an SDK nothing is recorded, and work, scopes and shutdowns run as without the adapter', async () => {
  const shutdown = new Shutdown();
  const log: string[] = [];
  traceShutdown(shutdown, { flush: () => log.push('flushed') });
  const user = await tracedScope('page', (s) => s.spawn(traced('user', async () => 'Ada')));
  shutdown.request();
  expect([user, (await shutdown.stopped()).exitCode, log]).toEqual(['Ada', 0, ['flushed']]);
});

test('the durations of a shutdown are measured also when the provider of meters is registered later', async () => {
  const collected = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: collected, exportIntervalMillis: 1_000_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const shutdown = new Shutdown();
  traceShutdown(shutdown, { flush: () => provider.shutdown() });
  metrics.setGlobalMeterProvider(provider);
  try {
    shutdown.request();
    await shutdown.stopped();
    const names = collected.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics));
    expect(names.map(({ descriptor }) => descriptor.name)).toContain('quiesce.shutdown.phase.duration');
  } finally {
    metrics.disable();
  }
});

test('without options the global providers are used', async () => {
  const collected = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: collected, exportIntervalMillis: 1_000_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  const shutdown = new Shutdown();
  const work = traced('early', () => 1);
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  try {
    work();
    traceShutdown(shutdown, { flush: () => provider.shutdown() });
    shutdown.request();
    await shutdown.stopped();
    expect(
      exporter.getFinishedSpans().map(({ name, instrumentationScope }) => [name, instrumentationScope.name]),
    ).toEqual([
      ['early', '@quiesce/adapters'],
      ['shutdown', '@quiesce/adapters'],
    ]);
    expect(collected.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.map(({ scope }) => scope.name))).toEqual([
      '@quiesce/adapters',
    ]);
  } finally {
    trace.disable();
    metrics.disable();
  }
});
