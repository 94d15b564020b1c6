import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import type { Life } from './life.ts';
import { nestedBelow } from './nested.ts';
import { quoted } from './options.ts';
import type { Task } from './task.ts';

/** What `tree()` says of a scope, a task, or the cleanup that is running. */
export interface ScopeTree {
  /** What this is. */
  readonly kind: 'scope' | 'task' | 'cleanup';
  /** The name given; `undefined`: none. */
  readonly name: string | undefined;
  /** Of a scope also `joining` (its body is done), `cleaning` (its tasks are done), `closed`. */
  readonly state: 'running' | 'joining' | 'cleaning' | 'closed';
  /** Whether it was asked to stop. */
  readonly isCancelled: boolean;
  /** How long ago it was started, in milliseconds. */
  readonly ageMs: number;
  /** Of a scope: when it is cancelled at the latest, of its own or inherited; absent: never. */
  readonly deadline?: Date;
  /** The scope does not wait for it. */
  readonly daemon?: true;
  /** Where it was spawned, in a scope with `spawnSites`. */
  readonly site?: string;
  /** What runs in it; below a task the scopes that were given its token. */
  readonly children: readonly ScopeTree[];
}

/** A tree that is being made. */
type Growing = ScopeTree & { readonly children: Growing[] };

export const states = ['running', 'joining', 'cleaning', 'closed'] as const;

/** A snapshot of everything below a scope. No recursion: scopes may be nested deeper than the stack. */
export function snapshot(root: Life): ScopeTree {
  const top = ofLife(root);
  const todo: { readonly life?: Life; readonly token: CancellationToken; readonly into: Growing[] }[] = [];
  todo.push({ life: root, token: root.token, into: top.children });
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { life, token, into } = next;
    if (life?.cleaning !== undefined) into.push(ofCleanup(life.cleaning, life));
    for (const task of each(life?.head)) {
      const grown = ofTask(task, life as Life);
      into.push(grown);
      todo.push({ token: task.token, into: grown.children });
    }
    for (const inner of each(nestedBelow(token))) {
      const grown = ofLife(inner);
      into.push(grown);
      todo.push({ life: inner, token: inner.token, into: grown.children });
    }
  }
  return top;
}

/** The items of a circular list. */
function* each<N extends { readonly next: N | undefined }>(head: N | undefined): Generator<N> {
  for (let item = head; item !== undefined; item = item.next === head ? undefined : item.next) yield item;
}

function ofLife(life: Life): Growing {
  const { name, token } = life;
  const deadline = token.deadline;
  return {
    kind: 'scope',
    name,
    state: states[life.state],
    isCancelled: token.isCancelled,
    ageMs: life.now() - life.started,
    ...(deadline !== undefined && { deadline }),
    children: [],
  };
}

function ofTask({ name, token, started, info }: Task<unknown>, life: Life): Growing {
  return {
    kind: 'task',
    name,
    state: 'running',
    isCancelled: token.isCancelled,
    ageMs: life.now() - started,
    ...(info?.isDaemon === true && { daemon: true as const }),
    ...(info?.site !== undefined && { site: info.site }),
    children: [],
  };
}

function ofCleanup({ name, started }: { readonly name: string; readonly started: number }, life: Life): Growing {
  return { kind: 'cleanup', name, state: 'running', isCancelled: false, ageMs: life.now() - started, children: [] };
}

/** How deep a line is indented at most, in levels: the text of a chain would grow with the square of its length. */
const INDENTED = 64;

/**
 * A snapshot as text, one line for each scope, task and running cleanup. What is more than 64 levels down is not indented
 * further: its line says how deep it is.
 *
 * @param tree what `s.tree()` gave
 * @returns lines without a line feed at the end
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * await scope(async (s) => {
 *   s.spawn((token) => token.cancelled(), { name: 'watcher', daemon: true });
 *   const body = (inner: Scope) => void inner.spawn(() => sleep(5, { clock }), { name: 'query' });
 *   s.spawn((signal) => scope(body, { signal, name: 'page', clock }), { name: 'request' });
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
    // The last one first, since the pile is taken from its end.
    for (const [index, child] of [...tree.children.entries()].reverse()) {
      const isLast = index === tree.children.length - 1;
      const first = indent + (isLast ? '└─ ' : '├─ ');
      if (depth > INDENTED) todo.push({ tree: child, first: `${indent}[${depth}] `, indent, depth });
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
