import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** How a process ended. */
export interface Ended {
  /** The exit code, or `null` when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The time of the end, on the clock of `performance.now()`. */
  readonly at: number;
}

/** A program of this example in a process of its own. */
export interface Child {
  readonly process: ChildProcess;
  /** Settles when the process has ended and all its output was read. */
  readonly ended: Promise<Ended>;
  /** Resolves with the first result of `pick` for a line; rejects when the process ends before. */
  first<T>(pick: (line: string) => T | undefined): Promise<T>;
}

export interface ChildOptions {
  readonly env?: Record<string, string>;
  /** Called for each line on stdout and stderr. */
  readonly onLine?: (line: string) => void;
  /** Called for each line on a third channel. */
  readonly onTrace?: (line: string) => void;
}

/** Removes npm's variables: npm runs the demo, but its processes get their signals directly. */
export function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('npm_')));
}

/** Starts `program`, a file in the parent folder. */
export function startChild(program: string, options: ChildOptions = {}): Child {
  const file = fileURLToPath(new URL(`../${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=built', '--import', 'tsx', file], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...withoutNpm(process.env), ...options.env, TRACE_FD: '3' },
  });
  const listeners = new Set<(line: string) => void>();
  const onOutput = (line: string): void => {
    options.onLine?.(line);
    for (const listener of listeners) listener(line);
  };
  const read = (stream: unknown, onLine: (line: string) => void): Promise<unknown> => {
    const lines = createInterface({ input: stream as Readable });
    lines.on('line', onLine);
    return new Promise((resolve) => lines.once('close', resolve));
  };
  const readers = [
    read(child.stdout, onOutput),
    read(child.stderr, onOutput),
    read(child.stdio[3], (line) => options.onTrace?.(line)),
  ];
  // A write to a process that has ended needs no error: `ended` reports the end.
  child.stdin.on('error', () => {});
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const at = performance.now();
      void Promise.all(readers).then(() => resolve({ code, signal, at }));
    });
  });
  return {
    process: child,
    ended,
    first: (pick) =>
      new Promise((resolve, reject) => {
        const listener = (line: string): void => {
          const found = pick(line);
          if (found === undefined) return;
          listeners.delete(listener);
          resolve(found);
        };
        listeners.add(listener);
        ended.then(
          ({ code, signal }) => reject(new Error(`${program} ended too soon, with ${signal ?? code}`)),
          reject,
        );
      }),
  };
}
