import { checkChoice, checkFunction, checkKind, checkNumber, checkOptions, defineHandle } from '@quiesce/internal';
import { type Hook, type HookFunction, type HookPhase, phases } from './hooks.ts';
import { checkName } from './options.ts';

/** Options for `hook`. */
export interface HookOptions {
  /**
   * When the hook runs. `stopping`: at once, before anything stops accepting. `draining`: while work in progress ends; its
   * token is cancelled together with that work. `cleanup` (the default): after that work has ended. `final`: last, and always,
   * for telemetry.
   */
  readonly phase?: HookPhase | undefined;
  /** Hooks with a higher priority run earlier. Default: 0. */
  readonly priority?: number | undefined;
  /** Names of hooks that must have ended first. They must be registered already. Takes precedence over `priority`. */
  readonly after?: readonly string[] | undefined;
  /** The limit in ms, 0 to `Infinity`. The time left until the deadline limits it too. Default: `hookTimeout`. */
  readonly timeout?: number | undefined;
}

/** Checks the arguments of `hook`, and returns the record of the hook. */
export function hookOf(name: string, run: HookFunction, options: HookOptions): Hook {
  checkName('hook', name);
  const call = `hook ${JSON.stringify(name)}`;
  checkFunction(call, run);
  checkOptions(call, options, ['phase', 'priority', 'after', 'timeout']);
  const { phase = 'cleanup', priority = 0, after = [], timeout } = options;
  checkChoice(`${call}: phase`, phase, phases);
  const isPriority = typeof priority === 'number' && !Number.isNaN(priority);
  checkNumber(isPriority, `${call}: priority`, 'a number', priority);
  checkKind(Array.isArray(after), `${call}: after`, 'a list of hook names', after);
  for (const other of after) checkName(`${call}: after`, other);
  return {
    ...{ name, phase, at: phases.indexOf(phase), run, priority, after: [...after], timeout },
    ...{ state: 'waiting', started: 0, durationMs: 0, outcome: undefined, error: undefined },
  };
}

/**
 * A hook or a drainable that was added to a shutdown. Returned by `hook` and `add`.
 *
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * const cache = shutdown.hook('cache', () => console.log('never runs'));
 * console.log(cache.name, cache.dispose(), cache.dispose()); // => cache true false
 * shutdown.request();
 * await shutdown.stopped();
 * ```
 */
export class ShutdownHandle implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ShutdownHandle, {
    name: 'handle',
    owns: (value) => #remove in value,
    dispose: 'dispose',
    facts: ({ name }) => ({ name }),
  });
  /** The name in reports. */
  readonly name: string;
  readonly #remove: () => boolean;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(name: string, remove: () => boolean) {
    this.name = name;
    this.#remove = remove;
  }

  /**
   * Removes it from the shutdown. Synchronous and idempotent.
   *
   * @returns whether this call was in time: the hook will not run, or the drainable is neither stopped nor awaited
   */
  dispose(): boolean {
    return this.#remove();
  }
}
