import { checkFunction, checkTime, defineDispose, printed, show } from '@quiesce/internal';
import { type Hook, type HookPhase, phases } from './hooks.ts';
import type { HookFunction } from './machine.ts';
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
export function hookOf(name: string, run: HookFunction, options: HookOptions): Hook<HookFunction> {
  const { phase = 'cleanup', priority = 0, after = [], timeout } = options;
  checkName('hook', name);
  checkFunction(`hook ${JSON.stringify(name)}`, run);
  if (!phases.includes(phase)) {
    throw new TypeError(`phase must be ${phases.map((one) => `'${one}'`).join(', ')}, got ${printed(phase)}`);
  }
  if (typeof priority !== 'number' || Number.isNaN(priority)) {
    throw new RangeError(`priority must be a number, got ${printed(priority)}`);
  }
  if (!Array.isArray(after)) throw new TypeError(`after must be a list of names of hooks, got ${show(after)}`);
  for (const other of after) checkName('after', other);
  if (timeout !== undefined) checkTime('timeout', timeout);
  return {
    ...{ name, phase, at: phases.indexOf(phase), run, priority, after: [...after], timeout },
    ...{ state: 'waiting', started: 0, durationMs: 0, outcome: undefined, error: undefined },
  };
}

/** A hook that can be taken back. */
export class RegisteredHook implements HookHandle {
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
defineDispose(RegisteredHook, 'remove');
