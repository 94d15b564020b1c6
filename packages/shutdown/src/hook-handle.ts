import { checkChoice, checkFunction, checkKind, checkOptions, defineHandle, show } from '@quiesce/internal';
import { type Hook, type HookFunction, type HookPhase, phases } from './hooks.ts';
import { checkName } from './options.ts';

/** Where and how a hook runs. */
export interface HookOptions {
  /**
   * `stopping`: at once, before anything stops accepting. `draining`: beside the work in flight; its token is cancelled with
   * that. `cleanup` (the default): when that has ended. `final`: last, and always, for telemetry.
   */
  readonly phase?: HookPhase | undefined;
  /** The higher, the earlier. Default: 0. */
  readonly priority?: number | undefined;
  /** Names of hooks, registered before, that must have ended first; goes before `priority`. */
  readonly after?: readonly string[] | undefined;
  /** In ms, 0 to `Infinity`; clipped by what is left of the deadline. Default: `hookTimeout`. */
  readonly timeout?: number | undefined;
}

/** A hook that was registered. */
export interface HookHandle extends Disposable {
  /** How reports call it. */
  readonly name: string;
  /** Takes it back; says whether that prevented it. Idempotent. Also as `using`. */
  remove(): boolean;
}

/** The record of a hook, once everything that was said of it has been checked. */
export function hookOf(name: string, run: HookFunction, options: HookOptions): Hook {
  checkName('hook', name);
  const call = `hook ${JSON.stringify(name)}`;
  checkFunction(call, run);
  checkOptions(call, options, ['phase', 'priority', 'after', 'timeout']);
  const { phase = 'cleanup', priority = 0, after = [], timeout } = options;
  checkChoice(`${call}: phase`, phase, phases);
  if (typeof priority !== 'number' || Number.isNaN(priority)) {
    throw new RangeError(`${call}: priority must be a number, got ${show(priority)}`);
  }
  checkKind(Array.isArray(after), `${call}: after`, 'a list of hook names', after);
  for (const other of after) checkName(`${call}: after`, other);
  return {
    ...{ name, phase, at: phases.indexOf(phase), run, priority, after: [...after], timeout },
    ...{ state: 'waiting', started: 0, durationMs: 0, outcome: undefined, error: undefined },
  };
}

/** A hook that can be taken back. */
export class RegisteredHook implements HookHandle {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(RegisteredHook, {
    name: 'hook',
    owns: (value) => #remove in value,
    dispose: 'remove',
    facts: ({ name }) => ({ name }),
  });
  readonly name: string;
  readonly #remove: () => boolean;
  /** The same as `remove`. */
  declare readonly [Symbol.dispose]: () => void;

  constructor(name: string, remove: () => boolean) {
    this.name = name;
    this.#remove = remove;
  }

  remove(): boolean {
    return this.#remove();
  }
}
