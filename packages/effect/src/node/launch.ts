import { checkKind, checkOptions } from '@quiesce/internal';
import {
  formatReport,
  type InstallOptions,
  Shutdown,
  type ShutdownHandle,
  type ShutdownOptions,
  type ShutdownReport,
} from '@quiesce/shutdown';
import { Cause, Context, Effect, Exit, Layer, Scope } from 'effect';
import { cancellationOf, defectsFromError, errorFromCause, interruption } from '../cause.ts';
import { CurrentShutdown } from './current-shutdown.ts';
import { bracketed, interruptedBy } from './in-flight.ts';

/** Options for `launch`. */
export interface LaunchOptions {
  /** Name of the hook that closes the layers. Default: `layers`. */
  readonly name?: string | undefined;
}

/** Options for `launch` when the layers need services. */
export interface LaunchWithOptions<R> extends LaunchOptions {
  /** The services, such as `Effect.context()` returns. */
  readonly context: Context.Context<R>;
}

/** The services that the layers need besides the shutdown. */
type Needs<RIn> = Exclude<RIn, CurrentShutdown>;

/**
 * Builds the layers of an application, and closes them in the cleanup phase of the shutdown, when no work is in flight.
 *
 * Use it in a program that `runMain` runs. In a program that Effect runs, use {@link shutdownLayer}.
 *
 * **Timing.** Starts synchronously. The hook that closes the layers is registered first, so hooks of the layers run before it.
 * The finalizers receive an interruption with the reason of the shutdown.
 *
 * **Cancel safety.** A shutdown that begins while the layers are built interrupts the building, and closes the layers that
 * were built.
 *
 * @param shutdown the shutdown that `runMain` passes; the layers find it as {@link CurrentShutdown}
 * @param layer the application
 * @param options `name`; `context`, when the layers need other services
 * @returns the services, for `runEffect(effect, { context })`
 * @throws (rejects) the failure of a layer, as `runEffect`; the reason of the shutdown; HookError when the name is taken;
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
  const layers = new LayerScope();
  const hook = registerClose(shutdown, layers, name);
  const exit = await Effect.runPromiseExitWith(context)(build(shutdown, layer, layers));
  if (Exit.isSuccess(exit)) return exit.value;
  const closed = await layers.close(exit);
  // Not earlier, because a shutdown that began during the building waits for this hook.
  hook.dispose();
  throw errorFromCause(Exit.isFailure(closed) ? Cause.combine(exit.cause, closed.cause) : exit.cause);
}

/** The scope of the layers. All calls of `close` wait for the same end. */
class LayerScope {
  readonly scope: Scope.Closeable = Scope.makeUnsafe();
  /** Fulfils when building has ended. A layer that fails runs its finalizers in the fiber that builds. */
  #built: Promise<void> = Promise.resolve();
  /** The result of the first `close`, or `undefined` before it. */
  #closing: Promise<Exit.Exit<void>> | undefined = undefined;

  /** @returns a function that marks the building as ended */
  beginBuilding(): () => void {
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

/** Options for `shutdownLayer`. */
export interface ShutdownLayerOptions extends ShutdownOptions {
  /** Listens to signals of the process: `true`, or the options of `shutdown.install`. Default: `false`. */
  readonly install?: boolean | InstallOptions | undefined;
}

/**
 * Wraps the layer of an application in a shutdown. When the scope of the layer closes, or the shutdown is requested otherwise,
 * the application is drained phase by phase, and its layers are closed in the cleanup phase.
 *
 * Use it in a program that Effect runs. In a program that `runMain` runs, use {@link launch}.
 *
 * **Timing.** The scope closes when the shutdown has stopped.
 *
 * @param app the layers; they find the shutdown as {@link CurrentShutdown}
 * @param options as for `new Shutdown`; `install`
 * @returns the layer, which also provides the shutdown. Closing it fails with defects: the errors of hooks, the other errors
 *   of the report, and, when work was given up or skipped, an error whose message is the report
 * @see {@link launch} for programs of `runMain`
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
      stopWith,
    );
    if (install !== false) shutdown.install(install === true ? {} : install);
    const layers = new LayerScope();
    registerClose(shutdown, layers);
    return yield* build(shutdown, app, layers);
  });
  return Layer.effectContext(making) as Layer.Layer<ROut | CurrentShutdown, E, Needs<RIn>>;
}

/** Registers the hook that closes the layers. */
function registerClose(shutdown: Shutdown, layers: LayerScope, name = 'layers'): ShutdownHandle {
  return shutdown.hook(name, async () => {
    const exit = await layers.close(Exit.failCause(interruption(shutdown.stopAccepting.reason)));
    if (Exit.isFailure(exit)) throw errorFromCause(exit.cause);
  });
}

/** Builds the layers. A shutdown that begins during the building interrupts it. */
function build<ROut, E, RIn>(
  shutdown: Shutdown,
  layer: Layer.Layer<ROut, E, RIn>,
  layers: LayerScope,
): Effect.Effect<Context.Context<ROut | CurrentShutdown>, E, Needs<RIn>> {
  const building = Effect.provideService(Layer.buildWithScope(layer, layers.scope), CurrentShutdown, shutdown);
  const tracked = interruptedBy(
    shutdown.stopAccepting,
    bracketed(() => layers.beginBuilding(), building),
  );
  return Effect.map(tracked, Context.add(CurrentShutdown, shutdown));
}

/** The finalizer of the layer: runs the whole shutdown. */
function stopWith(shutdown: Shutdown, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
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

/** Returns the errors of a report and, when work was given up, an error whose message is the report. */
function problemsIn(report: ShutdownReport): unknown[] {
  const { hooks, errors, unfinished, exitCode } = report;
  const failed = hooks.filter(({ outcome }) => outcome === 'failed').map(({ error }) => error);
  const problems = [...failed, ...errors.map(({ error }) => error)];
  const isComplete =
    hooks.every(({ outcome }) => outcome === 'done' || outcome === 'failed') && unfinished.length === 0;
  if (exitCode === 0 || (isComplete && problems.length > 0)) return problems;
  return [...problems, new Error(`The shutdown did not finish all its work:\n${formatReport(report)}`)];
}
