import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeArgs } from '../../programs.ts';

/** What came of a process. */
export interface Ended {
  /** What it said on stdout, by line. */
  readonly lines: readonly string[];
  readonly stderr: string;
  /** `null`: ended by a signal. */
  readonly code: number | null;
  /** `null`: ended by itself. */
  readonly killedBy: NodeJS.Signals | null;
}

/** What is done when a line has been said: a signal is sent, or whatever else, which gets what was said so far. */
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

/** Runs a program of this folder as a process of its own, and plays a script against it, each act once and in order. */
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
    // Not `close`, which never comes once we have disconnected.
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

/** Ours, without the channel to the parent that runs the tests, and without the script that started them, of which `runMain` warns. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_CHANNEL|npm)_/.test(name)));
}
