import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeArgs } from '../../programs.ts';

/** The result of a process. */
export interface Ended {
  /** The lines of stdout. */
  readonly lines: readonly string[];
  readonly stderr: string;
  /** The exit code, or `null` when a signal ended the process. */
  readonly code: number | null;
  /** The signal that ended the process, or `null`. */
  readonly killedBy: NodeJS.Signals | null;
}

/** Acts for lines of output: sends a signal, or calls a function with the output so far. */
export type Script = readonly (readonly [
  line: string,
  act: NodeJS.Signals | ((child: ChildProcess, stdout: string) => void),
])[];

export interface DriveOptions {
  readonly env?: Record<string, string>;
  readonly ipc?: boolean;
  /** More options for Node. */
  readonly node?: readonly string[];
  /** Path of a loader module. The program then runs from its source, not from a bundle, because its threads load other sources. */
  readonly loader?: string;
}

/** Runs a program of this folder in a process of its own, and plays a script against it, each act once and in order. */
export async function drive(
  name: string,
  args: readonly string[],
  script: Script,
  options: DriveOptions = {},
): Promise<Ended> {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const { node = [], loader } = options;
  const program = loader === undefined ? await nodeArgs(file) : ['--import', loader, file];
  const child = spawn(process.execPath, [...node, ...program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc === true ? (['ipc'] as const) : [])],
    env: { ...environment(), NO_COLOR: '1', ...options.env },
  });
  const left = [...script];
  let stdout = '';
  let stderr = '';
  const look = (): void => {
    const [next] = left;
    if (next === undefined || !`\n${stdout}\n${stderr}`.includes(`\n${next[0]}`)) return;
    left.shift();
    if (typeof next[1] === 'string') child.kill(next[1]);
    else next[1](child, stdout);
    look();
  };
  child.stdout?.on('data', (chunk) => {
    stdout += String(chunk);
    look();
  });
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
    look();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // Not `close`, which never comes after a disconnect.
    const streams = [child.stdout, child.stderr].map(
      (stream) => new Promise((closed) => stream?.once('close', closed)),
    );
    child.once('exit', async (code, killedBy) => {
      await Promise.all(streams);
      const lines = stdout.split('\n').filter((line) => line !== '');
      if (left.length === 0) resolve({ lines, stderr, code, killedBy });
      else reject(new Error(`it ended before it said ${JSON.stringify(left[0]?.[0])}: ${stdout}\n${stderr}`));
    });
  });
}

/** The environment without the channel to the parent that runs the tests, and without the npm script, about which `runMain` warns. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_CHANNEL|npm)_/.test(name)));
}
