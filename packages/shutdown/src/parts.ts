import { isPromise } from '@quiesce/internal';
import type { Drainable, ScopeTree } from '@quiesce/scope';
import type { Unfinished } from '@quiesce/select';
import { describeInFlight } from './describe.ts';
import type { CutOffReport } from './report.ts';
import { describeError } from './request.ts';

/** What is said of accepting, in this order: nothing, that it will end (`announce`), that it has ended (`stop`). */
export type Told = 'nothing' | 'announced' | 'stopped';

/** Something that takes in work, as one shutdown sees it. */
export interface Part {
  readonly drainable: Drainable;
  readonly name: string;
  /** Says what is under way in it; `undefined`: nobody gave one. */
  readonly tree: (() => ScopeTree) | undefined;
  /** Says it without a tree; `undefined`: only a number is known. */
  readonly underWay?: (() => Unfinished[]) | undefined;
  /** What it was told of accepting; set before it is called. */
  told: Told;
  /** `waiting` for its turn; `draining`; `drained` when its promise has settled. */
  state: 'waiting' | 'draining' | 'drained';
  /** Set when draining begins: the time, and how much was in flight. */
  started: number;
  atStart: number;
  /** Set when it is drained. */
  durationMs: number;
  /** How much was in flight when it was cancelled; 0: it was not. */
  cutOff: number;
  /** Set with `cutOff`: the names of it, as far as they are known. */
  cutOffNames: readonly string[];
}

/** One that nothing has happened to yet. */
export function partOf(
  drainable: Drainable,
  name: string,
  more: { readonly tree?: Part['tree']; readonly underWay?: Part['underWay'] },
): Part {
  const begin = {
    told: 'nothing',
    state: 'waiting',
    started: 0,
    atStart: 0,
    durationMs: 0,
    cutOff: 0,
    cutOffNames: [],
  } as const;
  return { drainable, name, tree: more.tree, underWay: more.underWay, ...begin };
}

/**
 * Tells a part what everybody has been told by now: each once, and in this order, however late it comes.
 *
 * @param onFailure called with what it throws, or, where it returns a promise, rejects with
 */
export function tellPart(part: Part, told: Told, onFailure: (where: string, error: unknown) => void): void {
  const { drainable } = part;
  const call = (method: 'announce' | 'stop'): void => {
    const failed = (error: unknown): void => onFailure(`${method}() of ${JSON.stringify(part.name)}`, error);
    try {
      const result: unknown = drainable[method]?.();
      // It is synchronous by contract; one that is not fails all the same.
      if (isPromise(result)) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  if (told !== 'nothing' && part.told === 'nothing') {
    part.told = 'announced';
    call('announce');
  }
  if (told === 'stopped' && part.told === 'announced') {
    part.told = 'stopped';
    call('stop');
  }
}

/** How much is in flight, whatever a getter of somebody else's does. */
export function inFlightOf(part: Part): number {
  try {
    const count = part.drainable.inFlight;
    return Number.isFinite(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}

/** The names of what is in flight, where a drainable knows them, whatever a getter of somebody else's does. */
export function namesIn(part: Part): readonly string[] {
  try {
    const names: unknown = part.drainable.inFlightNames;
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    return [];
  }
}

/** What was cut off of a part, as a report says it. */
export function cutOffOf({ name, cutOff: inFlight, cutOffNames: names }: Part): CutOffReport {
  return { name, inFlight, ...(names.length > 0 && { names }) };
}

/** What is under way in a part: its tasks by name where a tree is known, otherwise the part itself. */
export function underWayIn(part: Part, now: number): Unfinished[] {
  const tasks = part.tree === undefined ? (part.underWay?.() ?? []) : tasksOf(part.tree);
  if (tasks.length > 0) return tasks;
  const count = inFlightOf(part);
  if (count === 0 && part.state !== 'draining') return [];
  const name = count === 0 ? part.name : describeInFlight(part.name, count, namesIn(part));
  return [{ name, ageMs: Math.round(part.state === 'waiting' ? 0 : now - part.started) }];
}

/** The leaves of the tree: what runs, and not what waits for it. */
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
