import type { Shutdown } from '@quiesce/shutdown';
import { Context } from 'effect';

/** Identifies the service {@link CurrentShutdown} in the types of Effects that need it. */
export interface CurrentShutdown {
  /** Exists only in types. */
  readonly CurrentShutdown: unique symbol;
}

/**
 * The shutdown of the application, as a service of Effect. `launch` and `shutdownLayer` provide it.
 *
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const state = Effect.map(CurrentShutdown, (shutdown) => shutdown.state);
 * const running = Effect.provideService(state, CurrentShutdown, new Shutdown());
 * console.log(Effect.runSync(running)); // => running
 * ```
 */
export const CurrentShutdown: Context.Service<CurrentShutdown, Shutdown> = /* @__PURE__ */ Context.Service<
  CurrentShutdown,
  Shutdown
>('@quiesce/effect/CurrentShutdown');
