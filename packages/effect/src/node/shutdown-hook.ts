import { checkKind } from '@quiesce/internal';
import type { HookHandle, HookOptions } from '@quiesce/shutdown';
import { Effect } from 'effect';
import { runEffect } from '../run-effect.ts';
import { CurrentShutdown } from './current-shutdown.ts';

/**
 * Registers an Effect as a hook of the shutdown: something to be done on the way out, once, with the services that are
 * there now.
 *
 * **Timing.** As `shutdown.hook`. Its timeout, and force, interrupt it.
 *
 * @param name how texts and `after` call it; each name once
 * @param effect what to do; its failure, its defect, or all of them are in the report
 * @param options `phase`, `priority`, `after`, `timeout`
 * @returns a handle, to take it back
 * @throws as a defect, what `shutdown.hook` throws
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
): Effect.Effect<HookHandle, never, R | CurrentShutdown> {
  checkKind(Effect.isEffect(effect), 'shutdownHook', 'an Effect', effect);
  return Effect.contextWith((context) =>
    Effect.map(CurrentShutdown, (shutdown) =>
      shutdown.hook(name, (signal) => runEffect(effect, { signal, context }), options),
    ),
  );
}
