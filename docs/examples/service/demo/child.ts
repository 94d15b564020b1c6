import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** How a process ended. */
export interface Ended {
  /** `null`: by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** When that was, as `performance.now()` counts. */
  readonly at: number;
}

/** A program of this example, as a process of its own. */
export interface Child {
  readonly process: ChildProcess;
  /** Settles when the process is gone and everything that it said was read. */
  readonly ended: Promise<Ended>;
  /** The first line for which `pick` has an answer; rejects when the process ends before there is one. */
  first<T>(pick: (line: string) => T | undefined): Promise<T>;
}

export interface ChildOptions {
  readonly env?: Record<string, string>;
  /** What the process says, line by line, on stdout and stderr. */
  readonly onLine?: (line: string) => void;
  /** What it says on a third channel. */
  readonly onTrace?: (line: string) => void;
}

/** npm runs the demo, but not the service: it gets its signals directly. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('npm_')));
}

/** Starts `program`, which is a file beside this folder. */
export function startChild(program: string, options: ChildOptions = {}): Child {
  const file = fileURLToPath(new URL(`../${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=built', '--import', 'tsx', file], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...withoutNpm(process.env), ...options.env, TRACE_FD: '3' },
  });
  const listeners = new Set<(line: string) => void>();
  const tell = (line: string): void => {
    options.onLine?.(line);
    for (const listener of listeners) listener(line);
  };
  const read = (stream: unknown, onLine: (line: string) => void): Promise<unknown> => {
    const lines = createInterface({ input: stream as Readable });
    lines.on('line', onLine);
    return new Promise((resolve) => lines.once('close', resolve));
  };
  const readers = [
    read(child.stdout, tell),
    read(child.stderr, tell),
    read(child.stdio[3], (line) => options.onTrace?.(line)),
  ];
  // Whoever writes to a process that is gone hears of it by `ended`.
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
