import { checkFunction, checkOptions, isPromise, show } from '@quiesce/internal';
import type { Drainable, ScopeTree } from '@quiesce/scope';
import type { Unfinished } from '@quiesce/select';
import { describeInFlight } from './describe.ts';
import { describeError } from './describe-error.ts';
import { checkName } from './options.ts';
import type { CutOffReport } from './report.ts';

/** Options for `add`. */
export interface AddOptions {
  /**
   * Returns the work in progress, such as `() => scope.tree()`. Reports then name each task, its age and the place that spawned
   * it.
   */
  readonly tree?: (() => ScopeTree) | undefined;
}

/** The notices of a drainable, in their order. Each is the method of that name. */
const notices = ['announce', 'stop', 'abort'] as const;

/** How many notices a target has received. */
export type NoticeCount = 0 | typeof ANNOUNCE | typeof STOP | typeof ABORT;
export const ANNOUNCE = 1;
export const STOP = 2;
export const ABORT = 3;

/** The state of a program of `runMain` after its work has ended. Its cleanups wait for all other targets but guards. */
export interface ProgramActivity {
  /** Whether its scope has no work but waits for other targets. */
  isWaiting(): boolean;
  /** Whether its scope runs its cleanups, which no token cancels. */
  isCleaning(): boolean;
}

/** A drainable, with the state that one shutdown keeps about it. */
export interface DrainTarget {
  readonly drainable: Drainable;
  readonly name: string;
  /** Returns the tasks in progress as a tree, or `undefined` when none was given. */
  readonly tree: (() => ScopeTree) | undefined;
  /** For guards: returns the work in progress by name. */
  readonly workInProgress?: (() => Unfinished[]) | undefined;
  /** Set for the program of `runMain`. */
  readonly program: ProgramActivity | undefined;
  /** How many notices it has received. Set before the call of each. */
  noticeCount: NoticeCount;
  /** `waiting` before its drain; `draining`; `drained` when the promise of its drain has settled. */
  state: 'waiting' | 'draining' | 'drained';
  /** Set when draining begins: the time, and the number of items in flight. */
  started: number;
  atStart: number;
  /** Set when it is drained. */
  durationMs: number;
  /** How many items were in flight when it was cancelled. 0 when it was not cancelled. */
  cutOff: number;
  /** Set with `cutOff`: the names of those items, as far as they are known. */
  cutOffNames: readonly string[];
}

/** Checks the arguments of `add`, and returns the target. */
export function drainTargetOf(drainable: Drainable, options: AddOptions | undefined): DrainTarget {
  if (typeof drainable?.stop !== 'function' || typeof drainable.drain !== 'function') {
    const { listen } = Object(drainable) as { readonly listen?: unknown };
    const hint = typeof listen === 'function' ? '; write add(new HttpDrain(server))' : '';
    throw new TypeError(`add: expected { name, inFlightCount, stop(), drain(signal) }, got ${show(drainable)}${hint}`);
  }
  // Read without its getter, which may throw.
  const count: unknown = Object.getOwnPropertyDescriptor(drainable, 'inFlightCount')?.value;
  if (typeof count === 'function') {
    throw new TypeError(`add: inFlightCount: expected a number, got ${show(count)}; write add(drainable({ … }))`);
  }
  if (drainable.announce !== undefined) checkFunction('add: announce', drainable.announce);
  if (drainable.abort !== undefined) checkFunction('add: abort', drainable.abort);
  checkOptions('add', options, ['tree']);
  if (options?.tree !== undefined) checkFunction('add: tree', options.tree);
  const { name } = drainable;
  checkName('add', name);
  return createDrainTarget(drainable, name, { tree: options?.tree });
}

/** Returns a target in its first state. */
export function createDrainTarget(
  drainable: Drainable,
  name: string,
  more: Partial<Pick<DrainTarget, 'tree' | 'workInProgress' | 'program'>>,
): DrainTarget {
  const begin = {
    noticeCount: 0,
    state: 'waiting',
    started: 0,
    atStart: 0,
    durationMs: 0,
    cutOff: 0,
    cutOffNames: [],
  } as const;
  const { tree, workInProgress, program } = more;
  return { drainable, name, tree, workInProgress, program, ...begin };
}

/**
 * Calls the notices that a target has not received, once and in order.
 *
 * @param count how many notices it has then received
 * @param reason the argument of `abort`
 * @param onFailure called with the error that a notice throws, or with which its promise rejects
 */
export function notifyDrainTarget(
  target: DrainTarget,
  count: NoticeCount,
  reason: unknown,
  onFailure: (where: string, error: unknown) => void,
): void {
  const { drainable } = target;
  // Read anew each time: a notice may force the shutdown, which calls the later ones.
  while (target.noticeCount < count) {
    const notice = notices[target.noticeCount++] as (typeof notices)[number];
    const failed = (error: unknown): void => onFailure(`${notice}() of ${JSON.stringify(target.name)}`, error);
    try {
      const result: unknown = notice === 'abort' ? drainable.abort?.(reason) : drainable[notice]?.();
      // Notices are synchronous by contract. The rejection of an asynchronous one would otherwise be uncaught.
      if (isPromise(result)) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

/** Whether the cleanups of a program wait for the target. A cleanup may release a guard, so they do not wait for guards. */
export function isAwaitedByProgram({ program, workInProgress }: DrainTarget): boolean {
  return program === undefined && workInProgress === undefined;
}

/** Returns how many items are in flight. 0 when the getter of the drainable throws or gives no number. */
export function inFlightOf(target: DrainTarget): number {
  try {
    const count = target.drainable.inFlightCount;
    return Number.isFinite(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}

/** Whether work can still arrive from outside the process. `false` when the getter of the drainable throws. */
export function isAcceptingOf(target: DrainTarget): boolean {
  try {
    return target.drainable.isAccepting === true;
  } catch {
    return false;
  }
}

/** Returns the names of the items in flight. Empty when the drainable does not know them or its getter throws. */
export function namesIn(target: DrainTarget): readonly string[] {
  try {
    const names: unknown = target.drainable.inFlightNames;
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    return [];
  }
}

/** Returns the work that was cut off, as in a report. */
export function cutOffOf({ name, cutOff: inFlightCount, cutOffNames: names }: DrainTarget): CutOffReport {
  return { name, inFlightCount, ...(names.length > 0 && { names }) };
}

/** Returns the work in progress: the tasks by name when a tree is known, otherwise the target itself. */
export function workIn(target: DrainTarget, now: number): Unfinished[] {
  const tasks = target.tree === undefined ? (target.workInProgress?.() ?? []) : tasksOf(target.tree);
  if (tasks.length > 0) return tasks;
  const count = inFlightOf(target);
  if (count === 0 && target.state !== 'draining') return [];
  const name = count === 0 ? target.name : describeInFlight(target.name, count, namesIn(target));
  return [{ name, ageMs: Math.round(target.state === 'waiting' ? 0 : now - target.started) }];
}

/** Returns the leaves of the tree: the tasks that run, without those that wait for them. */
function tasksOf(tree: () => ScopeTree): Unfinished[] {
  const found: Unfinished[] = [];
  const todo: { readonly node: ScopeTree; readonly path: string }[] = [];
  try {
    todo.push({ node: tree(), path: '' });
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { node, path } = next;
      const name = `${path}${node.name ?? `a ${node.kind}`}`;
      if (node.kind !== 'scope' && node.children.length === 0) {
        found.push({ name, ageMs: node.ageMs, ...(node.site !== undefined && { site: node.site }) });
      }
      for (const child of [...node.children].reverse()) todo.push({ node: child, path: `${name} / ` });
    }
  } catch (error) {
    found.push({ name: `a tree that cannot be read: ${describeError(error)}`, ageMs: 0 });
  }
  return found;
}
