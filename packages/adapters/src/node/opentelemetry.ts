import {
  type Attributes,
  type Meter,
  metrics,
  type ObservableCallback,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { CancellationToken, isCancellationOf, isCancelledError, type Registration } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkOptions, dateTime, isThenable, toText } from '@quiesce/internal';
import { type Scope, type ScopeOptions, scope, type TaskStatus } from '@quiesce/scope';
import { type Shutdown, type ShutdownEvent, type ShutdownReport, shutdownChannel } from '@quiesce/shutdown';
import { checkPeer } from './check-peer.ts';

/** Options for `traced`. */
export interface TracedOptions {
  /** Creates the spans. Default: a tracer of the global provider. */
  readonly tracer?: Tracer | undefined;
  /** Attributes of the span. */
  readonly attributes?: Attributes | undefined;
}

/** Options for `tracedScope`: those of `scope` except `name`, and those of `traced`. */
export interface TracedScopeOptions extends TracedOptions, Omit<ScopeOptions, 'name'> {}

/** Options for `traceShutdown`. */
export interface TraceShutdownOptions {
  /** Creates the span of the shutdown. Default: a tracer of the global provider. */
  readonly tracer?: Tracer | undefined;
  /** Creates the instruments. Default: a meter of the global provider. */
  readonly meter?: Meter | undefined;
  /** Sends everything that was recorded, such as `() => sdk.shutdown()`. The shutdown awaits it, within `finalTimeout`. */
  readonly flush?: (() => unknown) | undefined;
}

/** The result of traced work: a promise in place of every other thenable. */
export type Traced<R> = R extends PromiseLike<infer V> ? Promise<V> : R;

/** The name of the tracer and the meter of the global providers. */
const library = '@quiesce/adapters';
/** The options of `scope`, except its flags and its name. */
const scopeOptions = ['signal', 'stopSignal', 'timeout', 'deadline', 'cleanupTimeout', 'clock'];
/** The name of the hook that ends the span of a shutdown. */
const hookName = 'opentelemetry';

/**
 * Makes work that runs in a span, for `spawn`, `map`, `race`, `select` and everything else that takes a function.
 *
 * The span is active during the work, so spans of the work are its children. When the token of the work is cancelled, the span
 * gets the event `cancelled` with the reason. At the end, the attribute `quiesce.status` is `fulfilled`, `rejected` or
 * `cancelled`. Only a failure makes the span's status an error.
 *
 * **Timing.** The span begins when the work is called, and ends when its result settles.
 *
 * **Cancel safety.** As the work. The span ends when the work has ended, also after a cancellation.
 *
 * @param name the name of the span
 * @param work any function. The first token or `AbortSignal` among its arguments is observed, also as the `token` or `signal` of
 *   an argument, such as a scope or the options of `fetch`
 * @param options `tracer`, `attributes`
 * @returns a function with the same arguments and result
 * @throws TypeError when `work` is not a function, an option is unknown, or `@opentelemetry/api` is not version 1
 * @see `withSpan` of Effect
 * @example
 * ```ts
 * import { traced } from '@quiesce/adapters/opentelemetry';
 *
 * await scope(async (s) => {
 *   const user = s.spawn(traced('load user', async () => 'Ada'));
 *   console.log(await user); // => Ada
 * });
 * ```
 */
export function traced<A extends readonly unknown[], R>(
  name: string,
  work: (...args: A) => R,
  options?: TracedOptions,
): (...args: A) => Traced<R> {
  checkTraceOptions('traced', name, work, options);
  return (...args) =>
    inSpan(name, options, (observe) => {
      const token = args.map(tokenIn).find((found) => found !== undefined);
      if (token !== undefined) observe(token);
      return work(...args);
    });
}

/**
 * Runs `scope(body, options)` in a span, from the call to the end of the last task and cleanup.
 *
 * The event `cancelled` has the reason with which the scope was cancelled, also when that is the failure of a task. To give
 * the tasks spans, spawn them with {@link traced}.
 *
 * **Timing.** As `scope`.
 *
 * **Cancel safety.** As `scope`.
 *
 * @param name the name of the span and of the scope
 * @param body receives the scope
 * @param options those of `scope`, except `name`; `tracer`, `attributes`
 * @returns the value of the body
 * @throws the errors of `scope`; TypeError as {@link traced}
 * @see `scope`
 * @example
 * ```ts
 * import { traced, tracedScope } from '@quiesce/adapters/opentelemetry';
 *
 * const page = await tracedScope('page', async (s) => {
 *   const user = s.spawn(traced('load user', async () => 'Ada'));
 *   return `Hello, ${await user}`;
 * }, { timeout: 1_000 });
 * console.log(page); // => Hello, Ada
 * ```
 */
export async function tracedScope<T>(
  name: string,
  body: (scope: Scope) => T,
  options: TracedScopeOptions = {},
): Promise<Awaited<T>> {
  checkTraceOptions('tracedScope', name, body, options, scopeOptions, ['spawnSites', 'leakDetection']);
  const { tracer, attributes, ...rest } = options;
  const { signal, stopSignal, deadline } = rest;
  if (signal !== undefined) CancellationToken.from(signal, 'tracedScope: signal');
  if (stopSignal !== undefined) CancellationToken.from(stopSignal, 'tracedScope: stopSignal');
  if (deadline !== undefined) dateTime('tracedScope: deadline', deadline);
  return inSpan(name, { tracer, attributes }, (observe) => {
    const run = (s: Scope): T => {
      observe(s.token);
      return body(s);
    };
    return scope(run, { ...rest, name });
  });
}

/**
 * Records a shutdown: a span with an event for each step, and metrics of its phases, hooks, drains and cut-off work.
 *
 * The last hook of the phase `final` ends the span and calls `flush`, so everything is exported before the process exits.
 *
 * | instrument                        | kind             | attributes                           |
 * | --------------------------------- | ---------------- | ------------------------------------ |
 * | `quiesce.in_flight`               | observable gauge | work in progress, at any time        |
 * | `quiesce.shutdown.phase.duration` | histogram, s     | `quiesce.phase`                      |
 * | `quiesce.shutdown.hook.duration`  | histogram, s     | `quiesce.hook`, `quiesce.outcome`    |
 * | `quiesce.shutdown.drain.duration` | histogram, s     | `quiesce.drainable`, `quiesce.outcome` |
 * | `quiesce.shutdown.cut_off`        | counter          | `quiesce.drainable`                  |
 *
 * The attribute `quiesce.shutdown` is the name of the shutdown, when it has one. Register a provider of meters before this call:
 * otherwise the gauge is not observed.
 *
 * **Timing.** Synchronous. The span begins with the request. The recording ends with the shutdown.
 *
 * @param shutdown the shutdown
 * @param options `flush`; `tracer`, `meter`
 * @throws TypeError when `shutdown` is not a shutdown, an option is unknown or of the wrong kind, or `@opentelemetry/api` is not
 *   version 1; HookError when the shutdown is recorded already; ClosedError when it has stopped
 * @see `shutdown.report()`
 * @example
 * ```ts
 * import { traceShutdown } from '@quiesce/adapters/opentelemetry';
 *
 * const shutdown = new Shutdown();
 * traceShutdown(shutdown, { flush: () => console.log('2. telemetry sent') }); // () => sdk.shutdown()
 * shutdown.hook('db', () => console.log('1. db closed'));
 * shutdown.request('deploy');
 * await shutdown.stopped();
 * // => 1. db closed
 * // => 2. telemetry sent
 * ```
 */
export function traceShutdown(shutdown: Shutdown, options: TraceShutdownOptions = {}): void {
  checkPeer('traceShutdown()', '@opentelemetry/api', [1]);
  checkKind(typeof shutdown?.hook === 'function', 'traceShutdown', 'a Shutdown', shutdown);
  checkOptions('traceShutdown', options, ['tracer', 'meter', 'flush']);
  const { tracer, meter, flush } = options;
  checkTracer('traceShutdown', tracer);
  const isMeter = meter === undefined || typeof meter?.createHistogram === 'function';
  checkKind(isMeter, 'traceShutdown: meter', 'a Meter', meter);
  if (flush !== undefined) checkFunction('traceShutdown: flush', flush);
  const own: Attributes = shutdown.name === undefined ? {} : { 'quiesce.shutdown': shutdown.name };
  const inFlight = meterOf(meter).createObservableGauge('quiesce.in_flight', {
    unit: '{item}',
    description: 'Work in progress',
  });
  const observeInFlight: ObservableCallback = (result) => result.observe(shutdown.progress.inFlightCount, own);
  const { subscribe, unsubscribe } = process.getBuiltinModule('node:diagnostics_channel');
  let span: Span | undefined;
  const onEvent = (message: unknown): void => {
    const event = message as ShutdownEvent & { readonly shutdown: unknown };
    if (event.shutdown !== shutdown || ('hook' in event && event.hook === hookName)) return;
    span ??= tracerOf(tracer).startSpan('shutdown', { root: true, attributes: own });
    recordEvent(span, event);
  };
  const end = async (): Promise<void> => {
    unsubscribe(shutdownChannel, onEvent);
    const report = shutdown.report();
    measure(meterOf(meter), report, own);
    span?.setAttribute('quiesce.exit_code', report.exitCode).end();
    try {
      await flush?.();
    } finally {
      inFlight.removeCallback(observeInFlight);
    }
  };
  // Last among the `final` hooks, so that it records the others.
  shutdown.hook(hookName, end, { phase: 'final', priority: Number.NEGATIVE_INFINITY });
  inFlight.addCallback(observeInFlight);
  subscribe(shutdownChannel, onEvent);
}

function checkTraceOptions(
  call: string,
  name: string,
  work: unknown,
  options: TracedOptions | undefined,
  more: readonly string[] = [],
  flags: readonly string[] = [],
): void {
  checkPeer(`${call}()`, '@opentelemetry/api', [1]);
  checkKind(typeof name === 'string', call, 'a name', name);
  checkFunction(call, work, `; write ${call}(name, work, options)`);
  checkOptions(call, options, ['tracer', 'attributes', ...more], flags);
  checkTracer(call, options?.tracer);
}

function checkTracer(call: string, tracer: Tracer | undefined): void {
  const isTracer = tracer === undefined || typeof tracer?.startActiveSpan === 'function';
  checkKind(isTracer, `${call}: tracer`, 'a Tracer', tracer);
}

/** Looked up for each span: a program may register its provider after it has called `traced`. */
function tracerOf(tracer: Tracer | undefined): Tracer {
  return tracer ?? trace.getTracer(library);
}

/** Looked up for each use, too. Unlike a tracer, a meter never passes to a provider that is registered later. */
function meterOf(meter: Meter | undefined): Meter {
  return meter ?? metrics.getMeter(library);
}

/** The token or signal that an argument of work is, or that it has. */
function tokenIn(argument: unknown): CancellationToken | undefined {
  // Reading the `signal` of a token would retain it, so it is read last.
  if (argument instanceof CancellationToken) return argument;
  const { token } = Object(argument) as { readonly token?: unknown };
  if (token instanceof CancellationToken) return token;
  const signal =
    argument instanceof AbortSignal ? argument : (Object(argument) as { readonly signal?: unknown }).signal;
  return signal instanceof AbortSignal ? CancellationToken.from(signal) : undefined;
}

/**
 * Runs work in an active span, which ends when its result settles.
 *
 * Rejected: spans for all tasks of a scope, by replacing its `spawn`. A `map` over a hundred thousand items would have as many
 * spans, and most tasks have no name.
 */
function inSpan<R>(
  name: string,
  { tracer, attributes = {} }: TracedOptions = {},
  work: (observe: (token: CancellationToken) => void) => R,
): Traced<R> {
  return tracerOf(tracer).startActiveSpan(name, { attributes }, (span) => {
    let token: CancellationToken | undefined;
    let registration: Registration | undefined;
    const end = (status: TaskStatus): void => {
      registration?.dispose();
      span.setAttribute('quiesce.status', status).end();
    };
    const failed = (error: unknown): void => {
      const isCancelled = token !== undefined && isCancellationOf(error, token);
      if (!isCancelled) recordFailure(span, error);
      end(isCancelled ? 'cancelled' : 'rejected');
    };
    try {
      const result = work((observed) => {
        token = observed;
        registration = observed.onCancelled((reason) => span.addEvent('cancelled', reasonAttributes(reason)));
      });
      if (isThenable(result)) return settling(result, () => end('fulfilled'), failed) as Traced<R>;
      end('fulfilled');
      return result as Traced<R>;
    } catch (error) {
      failed(error);
      throw error;
    }
  });
}

/** Follows a thenable once: a receive, for example, would take a second value. */
async function settling<R>(result: R, fulfilled: () => void, failed: (error: unknown) => void): Promise<Awaited<R>> {
  try {
    const value = await result;
    fulfilled();
    return value;
  } catch (error) {
    failed(error);
    throw error;
  }
}

function reasonAttributes(reason: unknown): Attributes {
  return {
    'quiesce.reason': toText(reason),
    ...(isCancelledError(reason) && { 'quiesce.source': reason.source }),
    ...(isCancelledError(reason) && reason.cause !== undefined && { 'quiesce.cause': toText(reason.cause) }),
  };
}

function recordFailure(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : toText(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: toText(error) });
}

/** Adds a step of a shutdown to its span, with those of its fields that an attribute can hold. */
function recordEvent(span: Span, event: ShutdownEvent): void {
  const fields = event.type === 'requested' ? event.request : event.type === 'forced' ? event.force : event;
  const attributes: Attributes = {};
  for (const [key, value] of Object.entries(fields)) {
    const name = `quiesce.${key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    if (key === 'reason') attributes[name] = toText(value);
    else if (key !== 'type' && ['string', 'number'].includes(typeof value)) attributes[name] = value;
  }
  span.addEvent(event.type, attributes);
  if (event.type === 'forced') span.setStatus({ code: SpanStatusCode.ERROR, message: 'forced' });
  if ('error' in event && event.error !== undefined) recordFailure(span, event.error);
}

function measure(meter: Meter, { phases, hooks, drained, cutOff }: ShutdownReport, own: Attributes): void {
  const recorder = (what: string) => {
    const histogram = meter.createHistogram(`quiesce.shutdown.${what}.duration`, { unit: 's' });
    return (ms: number, attributes: Attributes): void => histogram.record(ms / 1_000, { ...own, ...attributes });
  };
  const [ofPhase, ofHook, ofDrain] = [recorder('phase'), recorder('hook'), recorder('drain')];
  for (const { phase, durationMs } of phases) if (phase !== 'final') ofPhase(durationMs, { 'quiesce.phase': phase });
  for (const { name, outcome, durationMs } of hooks)
    if (name !== hookName) ofHook(durationMs, { 'quiesce.hook': name, 'quiesce.outcome': outcome });
  for (const { name, outcome, durationMs } of drained)
    ofDrain(durationMs, { 'quiesce.drainable': name, 'quiesce.outcome': outcome });
  const cut = meter.createCounter('quiesce.shutdown.cut_off', { unit: '{item}' });
  for (const { name, inFlightCount } of cutOff) cut.add(inFlightCount, { ...own, 'quiesce.drainable': name });
}
