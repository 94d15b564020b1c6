import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The result of a run of the worker loop, as seen from outside. */
export interface Run {
  /** All lines that it printed, in order. */
  readonly lines: readonly string[];
  /** How often each worker ticked. */
  readonly iterations: ReadonlyMap<number, number>;
  /** The workers that reported their cleanup as complete, in order. */
  readonly cleanedUp: readonly number[];
  /** From the signal to the end of the process, in ms. */
  readonly elapsed: number;
  /** The exit code, or `null` when a signal ended the process. */
  readonly code: number | null;
  /** The signal that ended the process, or `null`. */
  readonly killedBy: NodeJS.Signals | null;
}

/** Options for `drive`. */
export interface DriveOptions {
  readonly signal: NodeJS.Signals;
  /** Each worker ticks this often before the signal is sent. */
  readonly ticks: number;
  /** Called for each line, with the time since the start in ms. */
  readonly onLine?: (line: string, at: number) => void;
  /** Called when the signal is sent. */
  readonly onSignal?: (at: number) => void;
}

const WORKERS = 5;

/** Runs an example in its own process, lets every worker tick, sends a real signal, and waits for the end. */
export function drive(example: string, options: DriveOptions): Promise<Run> {
  const file = fileURLToPath(new URL(`./${example}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=built', '--import', 'tsx', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const start = performance.now();
  const lines: string[] = [];
  const iterations = new Map<number, number>();
  const cleanedUp: number[] = [];
  let signalled: number | undefined;

  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    options.onLine?.(line, performance.now() - start);
    const [, id, what] = /^worker (\d+): (iteration|cleanup)/.exec(line) ?? [];
    if (what === 'cleanup') cleanedUp.push(Number(id));
    if (what !== 'iteration') return;
    iterations.set(Number(id), (iterations.get(Number(id)) ?? 0) + 1);
    const isEnough = iterations.size === WORKERS && Math.min(...iterations.values()) >= options.ticks;
    if (!isEnough || signalled !== undefined) return;
    signalled = performance.now();
    options.onSignal?.(signalled - start);
    child.kill(options.signal);
  });

  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      const elapsed = performance.now() - (signalled ?? start);
      resolve({ lines, iterations, cleanedUp, elapsed, code, killedBy });
    });
  });
}

/** Returns the workers that did not report their cleanup as complete. */
export function lost(run: Run): number[] {
  return Array.from({ length: WORKERS }, (_, index) => index + 1).filter((id) => !run.cleanedUp.includes(id));
}
