import { checkKind, checkOptions } from '@quiesce/internal';
import {
  formatReport,
  type HookHandle,
  type InstallOptions,
  Shutdown,
  type ShutdownOptions,
  type ShutdownReport,
} from '@quiesce/shutdown';
import { Cause, Context, Effect, Exit, Layer, Scope } from 'effect';
import { cancellationOf, defectsFromError, errorFromCause, interruption } from '../cause.ts';
import { CurrentShutdown } from './current-shutdown.ts';
import { between, until } from './in-flight.ts';

/** How layers are launched. */
export interface LaunchOptions {
  /** The name of the hook that closes them; default: `layers`. */
  readonly name?: string | undefined;
}

/** The same where the layers need services. */
export interface LaunchWithOptions<R> extends LaunchOptions {
  /** The services, such as `Effect.context()` gives. */
  readonly context: Context.Context<R>;
}

/** What the layers still need when the shutdown is there. */
type Needs<RIn> = Exclude<RIn, CurrentShutdown>;

/**
 * Builds the layers of an application and closes them in the shutdown's cleanup phase: when nothing is in flight any more.
 *
 * **Timing.** Starts synchronously. The hook that closes them is registered first, so hooks that layers register run before.
 * Their finalizers get an interruption with the reason of the shutdown.
 *
 * **Cancel safety.** A shutdown that begins while they are built interrupts that; what was built is closed.
 *
 * @param shutdown as `runMain` gives it; the layers find it as {@link CurrentShutdown}
 * @param layer the application
 * @param options `name`; `context`, where the layers need other services
 * @returns the services, for `runEffect(effect, { context })`
 * @throws (rejects) what a layer fails with, as `runEffect`; the reason of the shutdown; HookError when the name is taken;
 *   ClosedError when the cleanup phase is over
 * @see `Layer.launch` (effect 4), which closes its layers while requests may be in flight
 * @example
 * ```ts
 * import { Context, Effect, Layer } from 'effect';
 *
 * const Db = Context.Service<{ readonly query: string }>('Db');
 * const close = Effect.sync(() => console.log('db closed'));
 * const DbLive = Layer.effect(Db, Effect.acquireRelease(Effect.succeed({ query: 'answer' }), () => close));
 *
 * const shutdown = new Shutdown();
 * const context = await launch(shutdown, DbLive);
 * const request = inFlight('request', Effect.map(Db, ({ query }) => console.log(query)));
 * await runEffect(request, { context }); // => answer
 * shutdown.request('deploy');
 * await shutdown.stopped(); // => db closed
 * ```
 */
export function launch<ROut, E>(
  shutdown: Shutdown,
  layer: Layer.Layer<ROut, E, CurrentShutdown>,
  options?: LaunchOptions,
): Promise<Context.Context<ROut | CurrentShutdown>>;
export function launch<ROut, E, RIn>(
  shutdown: Shutdown,
  layer: Layer.Layer<ROut, E, RIn>,
  options: LaunchWithOptions<Needs<RIn>>,
): Promise<Context.Context<ROut | CurrentShutdown>>;
export async function launch<ROut, E, RIn>(
  shutdown: Shutdown,
  layer: Layer.Layer<ROut, E, RIn>,
  options: LaunchOptions & { readonly context?: Context.Context<Needs<RIn>> } = {},
): Promise<Context.Context<ROut | CurrentShutdown>> {
  checkKind(typeof shutdown?.hook === 'function', 'launch', 'a Shutdown', shutdown);
  checkKind(Layer.isLayer(layer), 'launch', 'a Layer', layer);
  checkOptions('launch', options, ['name', 'context']);
  const { name, context = Context.empty() as Context.Context<Needs<RIn>> } = options;
  const held = new Held();
  const hook = closeIn(shutdown, held, name);
  const exit = await Effect.runPromiseExitWith(context)(build(shutdown, layer, held));
  if (Exit.isSuccess(exit)) return exit.value;
  const closed = await held.close(exit);
  // Not before: a shutdown that has begun meanwhile waits for it.
  hook.remove();
  throw errorFromCause(Exit.isFailure(closed) ? Cause.combine(exit.cause, closed.cause) : exit.cause);
}

/** The scope of the layers: whoever closes it, all wait for the same end. */
class Held {
  readonly scope: Scope.Closeable = Scope.makeUnsafe();
  /** Fulfils when building has ended: a layer that fails runs its finalizers itself, in the fiber that builds. */
  #built: Promise<void> = Promise.resolve();
  /** Set by the first `close`. */
  #closing: Promise<Exit.Exit<void>> | undefined = undefined;

  /** @returns says that building has ended */
  begin(): () => void {
    let built = (): void => {};
    this.#built = new Promise((resolve) => {
      built = resolve;
    });
    return built;
  }

  close(exit: Exit.Exit<unknown, unknown>): Promise<Exit.Exit<void>> {
    this.#closing ??= this.#built.then(() => Effect.runPromiseExit(Scope.close(this.scope, exit)));
    return this.#closing;
  }
}

/** How a layer that shuts down is made. */
export interface ShutdownLayerOptions extends ShutdownOptions {
  /** Listens to the process: `true`, or the options of `shutdown.install`. Default: `false`. */
  readonly install?: boolean | InstallOptions | undefined;
}

/**
 * An application's layer with a shutdown around it: when the layer's scope closes, or the shutdown is asked otherwise, the
 * application is drained by its phases, and its layers are closed in the cleanup phase.
 *
 * **Timing.** The scope closes when the shutdown has stopped.
 *
 * @param app the layers, which find the shutdown as {@link CurrentShutdown}
 * @param options as for `new Shutdown`; `install`
 * @returns the layer, which also provides the shutdown. Closing it fails, with defects, with what hooks failed with, with
 *   what else the report lists as errors, and, where something was given up or skipped, with an error that is the report
 * @see {@link launch}, below `runMain`
 * @example
 * ```ts
 * import { Effect, Layer } from 'effect';
 *
 * const Server = Layer.effectDiscard(
 *   Effect.acquireRelease(Effect.void, () => Effect.sync(() => console.log('2. layers closed'))),
 * );
 * const program = Effect.gen(function* () {
 *   yield* shutdownHook('queue', Effect.sync(() => console.log('1. queue flushed')));
 * });
 * await runEffect(Effect.provide(program, shutdownLayer(Server)));
 * // => 1. queue flushed
 * // => 2. layers closed
 * ```
 */
export function shutdownLayer<ROut, E, RIn>(
  app: Layer.Layer<ROut, E, RIn>,
  options: ShutdownLayerOptions = {},
): Layer.Layer<ROut | CurrentShutdown, E, Needs<RIn>> {
  checkKind(Layer.isLayer(app), 'shutdownLayer', 'a Layer', app);
  checkKind(typeof options === 'object' && options !== null, 'shutdownLayer', 'options', options);
  const { install = false, ...others } = options;
  const making = Effect.gen(function* () {
    const shutdown = yield* Effect.acquireRelease(
      Effect.sync(() => new Shutdown(others)),
      stopping,
    );
    if (install !== false) shutdown.install(install === true ? {} : install);
    const held = new Held();
    closeIn(shutdown, held);
    return yield* build(shutdown, app, held);
  });
  return Layer.effectContext(making) as Layer.Layer<ROut | CurrentShutdown, E, Needs<RIn>>;
}

/** Registers the hook that closes the layers. */
function closeIn(shutdown: Shutdown, held: Held, name = 'layers'): HookHandle {
  return shutdown.hook(name, async () => {
    const exit = await held.close(Exit.failCause(interruption(shutdown.stopAccepting.reason)));
    if (Exit.isFailure(exit)) throw errorFromCause(exit.cause);
  });
}

/** A shutdown that begins meanwhile interrupts it. */
function build<ROut, E, RIn>(
  shutdown: Shutdown,
  layer: Layer.Layer<ROut, E, RIn>,
  held: Held,
): Effect.Effect<Context.Context<ROut | CurrentShutdown>, E, Needs<RIn>> {
  const building = Effect.provideService(Layer.buildWithScope(layer, held.scope), CurrentShutdown, shutdown);
  const counted = until(
    shutdown.stopAccepting,
    between(() => held.begin(), building),
  );
  return Effect.map(counted, Context.add(CurrentShutdown, shutdown));
}

/** The finalizer of the layer: the whole shutdown. */
function stopping(shutdown: Shutdown, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
  return Effect.callback((resume) => {
    shutdown.request(Exit.isFailure(exit) && Exit.hasInterrupts(exit) ? cancellationOf(exit.cause) : undefined);
    void shutdown.stopped().then((report) => {
      const causes = problemsIn(report).map(defectsFromError);
      resume(
        causes.length === 0 ? Effect.void : Effect.failCause(causes.reduce((all, one) => Cause.combine(all, one))),
      );
    });
  });
}

/** What failed, and, where something was given up, the report. */
function problemsIn(report: ShutdownReport): unknown[] {
  const { hooks, errors, unfinished, exitCode } = report;
  const failed = hooks.filter(({ outcome }) => outcome === 'failed').map(({ error }) => error);
  const problems = [...failed, ...errors.map(({ error }) => error)];
  const isWhole = hooks.every(({ outcome }) => outcome === 'done' || outcome === 'failed') && unfinished.length === 0;
  if (exitCode === 0 || (isWhole && problems.length > 0)) return problems;
  return [...problems, new Error(`The shutdown did not finish all of its work:\n${formatReport(report)}`)];
}
