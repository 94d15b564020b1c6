import { checkKind } from '@quiesce/internal';
import type { HookOptions, ShutdownHandle } from '@quiesce/shutdown';
import { Effect } from 'effect';
import { runEffect } from '../run-effect.ts';
import { CurrentShutdown } from './current-shutdown.ts';

/**
 * Registers an Effect as a hook of the shutdown. The hook runs once, with the services of the Effect that registers it.
 *
 * Use it to flush or close something at the end of the process. A resource of a layer needs no hook: `launch` and
 * `shutdownLayer` close it.
 *
 * **Timing.** As `shutdown.hook`. The timeout of the hook, and a forced end of the shutdown, interrupt the Effect.
 *
 * @param name name of the hook in texts and for `after`; names are unique
 * @param effect the work of the hook; the report shows its failures and defects
 * @param options `phase`, `priority`, `after`, `timeout`
 * @returns a handle that removes the hook
 * @throws the errors of `shutdown.hook`, as defects
 * @see `shutdown.hook`
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const shutdown = new Shutdown();
 * const flush = shutdownHook('queue', Effect.sync(() => console.log('queue flushed')));
 * await runEffect(Effect.provideService(flush, CurrentShutdown, shutdown));
 * shutdown.request('deploy');
 * await shutdown.stopped(); // => queue flushed
 * ```
 */
export function shutdownHook<R>(
  name: string,
  effect: Effect.Effect<unknown, unknown, R>,
  options?: HookOptions,
): Effect.Effect<ShutdownHandle, never, R | CurrentShutdown> {
  checkKind(Effect.isEffect(effect), 'shutdownHook', 'an Effect', effect);
  return Effect.contextWith((context) =>
    Effect.map(CurrentShutdown, (shutdown) =>
      shutdown.hook(name, (signal) => runEffect(effect, { signal, context }), options),
    ),
  );
}
