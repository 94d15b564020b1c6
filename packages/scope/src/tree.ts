import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import type { CurrentCleanup } from './cleanups.ts';
import { nestedBelow } from './nested-scopes.ts';
import { quoted } from './options.ts';
import type { ScopeState } from './scope-state.ts';
import type { Task } from './task.ts';

/** A scope, a task or a running cleanup, as `tree()` shows it. */
export interface ScopeTree {
  /** The kind of this item. */
  readonly kind: 'scope' | 'task' | 'cleanup';
  /** The name given; `undefined`: none. */
  readonly name: string | undefined;
  /** A scope can also be `joining` (its body has settled), `cleaning` (its tasks have ended) or `closed`. */
  readonly state: 'running' | 'joining' | 'cleaning' | 'closed';
  /** Whether its token is cancelled. */
  readonly isCancelled: boolean;
  /** How long it has been running, in milliseconds. */
  readonly ageMs: number;
  /** The earliest deadline of a scope, its own or inherited. Absent when there is none, and for tasks and cleanups. */
  readonly deadline?: Date;
  /** Present for a daemon: the scope cancels it once all other tasks have ended. */
  readonly daemon?: true;
  /** The line that spawned it, in a scope with `spawnSites`. */
  readonly site?: string;
  /** The work inside it. For a task, the scopes that were given its token. */
  readonly children: readonly ScopeTree[];
}

/** A tree under construction. */
type MutableTree = ScopeTree & { readonly children: MutableTree[] };

export const states = ['running', 'joining', 'cleaning', 'closed'] as const;

/** Takes a snapshot of everything below a scope. No recursion: scopes may be nested deeper than the stack. */
export function snapshot(root: ScopeState): ScopeTree {
  const top = ofScope(root);
  const todo: { readonly scope?: ScopeState; readonly token: CancellationToken; readonly into: MutableTree[] }[] = [];
  todo.push({ scope: root, token: root.token, into: top.children });
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { scope, token, into } = next;
    if (scope?.currentCleanup !== undefined) into.push(ofCleanup(scope.currentCleanup, scope));
    for (const task of itemsOf(scope?.head)) {
      const tree = ofTask(task, scope as ScopeState);
      into.push(tree);
      todo.push({ token: task.token, into: tree.children });
    }
    for (const inner of itemsOf(nestedBelow(token))) {
      const tree = ofScope(inner);
      into.push(tree);
      todo.push({ scope: inner, token: inner.token, into: tree.children });
    }
  }
  return top;
}

/** The items of a circular list. */
function* itemsOf<N extends { readonly next: N | undefined }>(head: N | undefined): Generator<N> {
  for (let item = head; item !== undefined; item = item.next === head ? undefined : item.next) yield item;
}

function ofScope(scope: ScopeState): MutableTree {
  const { name, token } = scope;
  const deadline = token.deadline;
  return {
    kind: 'scope',
    name,
    state: states[scope.state],
    isCancelled: token.isCancelled,
    ageMs: scope.now() - scope.started,
    ...(deadline !== undefined && { deadline }),
    children: [],
  };
}

function ofTask({ name, token, started, info }: Task<unknown>, scope: ScopeState): MutableTree {
  return {
    kind: 'task',
    name,
    state: 'running',
    isCancelled: token.isCancelled,
    ageMs: scope.now() - started,
    ...(info?.isDaemon === true && { daemon: true as const }),
    ...(info?.site !== undefined && { site: info.site }),
    children: [],
  };
}

function ofCleanup({ name, started }: CurrentCleanup, scope: ScopeState): MutableTree {
  return { kind: 'cleanup', name, state: 'running', isCancelled: false, ageMs: scope.now() - started, children: [] };
}

/** The deepest indentation, in levels. Without a limit the text of a chain grows with the square of its length. */
const MAX_INDENT = 64;

/**
 * Formats a snapshot as text, with one line for each scope, task and running cleanup.
 *
 * The indentation stops at 64 levels. Deeper lines begin with their level in brackets. Synchronous.
 *
 * @param tree the result of `s.tree()`
 * @returns the lines, without a line feed at the end
 * @throws TypeError when `tree` is no tree
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * await scope(async (s) => {
 *   s.spawn((token) => token.cancelled(), { name: 'watcher', daemon: true });
 *   const body = (inner: Scope) => void inner.spawn(() => sleep(5, { clock }), { name: 'query' });
 *   s.spawn((token) => scope(body, { signal: token, name: 'page', clock }), { name: 'request' });
 *   await clock.advance(2);
 *   for (const line of formatTree(s.tree()).split('\n')) console.log(line.replaceAll(' ', '.'));
 *   await clock.advance(3);
 * }, { name: 'server', clock });
 * // => scope."server":.running,.2.ms
 * // => ├─.task."watcher":.running,.2.ms,.daemon
 * // => └─.task."request":.running,.2.ms
 * // => ...└─.scope."page":.joining,.2.ms
 * // => ......└─.task."query":.running,.2.ms
 * ```
 */
export function formatTree(tree: ScopeTree): string {
  checkKind(Array.isArray(tree?.children), 'formatTree', 'a tree, such as scope.tree()', tree);
  const lines: string[] = [];
  const todo = [{ tree, first: '', indent: '', depth: 0 }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { tree, first, indent } = next;
    const depth = next.depth + 1;
    lines.push(first + lineOf(tree));
    // The last child first, since `pop` takes from the end.
    for (const [index, child] of [...tree.children.entries()].reverse()) {
      const isLast = index === tree.children.length - 1;
      const first = indent + (isLast ? '└─ ' : '├─ ');
      if (depth > MAX_INDENT) todo.push({ tree: child, first: `${indent}[${depth}] `, indent, depth });
      else todo.push({ tree: child, first, indent: indent + (isLast ? '   ' : '│  '), depth });
    }
  }
  return lines.join('\n');
}

function lineOf({ kind, name, state, isCancelled, ageMs, deadline, daemon, site }: ScopeTree): string {
  const parts: string[] = [state, `${ageMs} ms`];
  if (isCancelled) parts.push('cancelled');
  if (daemon === true) parts.push('daemon');
  if (deadline !== undefined) parts.push(`until ${deadline.toISOString()}`);
  if (site !== undefined) parts.push(site);
  return `${kind}${quoted(name)}: ${parts.join(', ')}`;
}
