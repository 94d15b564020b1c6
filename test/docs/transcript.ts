// Plays a terminal session. A transcript is a `console` fence:
//
//   $ node copy.ts            starts a program of the page, compiled; so does `copy.js`; a trailing `&` is ignored
//   copied 1.jpg              the expected output, stdout and stderr; `…` matches anything
//   ^C                        sends SIGINT, after the output above
//   $ kill %1                 sends SIGTERM, after the output above
//   $ echo $?                 the next line is the exit code; `$ wait %1; echo $?` is the same
//   0

import { type ChildProcess, spawn } from 'node:child_process';

interface Act {
  readonly signal: NodeJS.Signals;
  /** The signal is sent after this many lines of output. */
  readonly afterLines: number;
}

interface Script {
  readonly program: readonly string[];
  readonly lines: readonly string[];
  readonly acts: readonly Act[];
  readonly exitCode: number | undefined;
}

const signals: Record<string, NodeJS.Signals> = { '^C': 'SIGINT', '$ kill %1': 'SIGTERM' };

/** Runs a transcript in a folder. Returns the actual output in the form of the transcript. `signal` kills the program. */
export async function play(
  transcript: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ got: string[]; expected: string[] }> {
  const script = scriptOf(transcript);
  // One pipe for both streams keeps their lines in the order in which they were written.
  const child = spawn('sh', ['-c', `exec "$0" "$@" 2>&1`, process.execPath, ...script.program], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...{ signal, killSignal: 'SIGKILL' as const },
    // The environment of a user, and not of npm, which runs the tests.
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' },
  });
  const code = await follow(child, script);
  const got = code.lines.map((line, index) => (fits(line, script.lines[index]) ? (script.lines[index] ?? line) : line));
  const exit = (value: unknown): string[] => (script.exitCode === undefined ? [] : [`exit code ${value}`]);
  return { got: [...got, ...exit(code.exitCode)], expected: [...script.lines, ...exit(script.exitCode)] };
}

function follow(child: ChildProcess, { acts }: Script): Promise<{ lines: string[]; exitCode: number | null }> {
  const pending = [...acts];
  let output = '';
  const lines = (): string[] => output.split('\n').slice(0, -1);
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
    const [next] = pending;
    if (next === undefined || lines().length < next.afterLines) return;
    pending.shift();
    child.kill(next.signal);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ lines: lines(), exitCode }));
  });
}

function scriptOf(transcript: string): Script {
  const lines: string[] = [];
  const acts: Act[] = [];
  const [start = '', ...rest] = transcript.trimEnd().split('\n');
  // Not every Node that runs these tests runs TypeScript. All examples compile with `erasableSyntaxOnly`, so others can.
  const [file, ...args] = /^\$ node ([^&]*?)( &)?$/.exec(start)?.[1]?.split(' ') ?? [];
  if (file === undefined) throw new Error(`a transcript begins with "$ node program.ts", not with "${start}"`);
  const program = [file.replace(/\.ts$/, '.js'), ...args];
  const exitLine = rest.findIndex((line) => /^\$ (wait %1; )?echo \$\?$/.test(line));
  for (const line of exitLine === -1 ? rest : rest.slice(0, exitLine)) {
    const signal = signals[line];
    if (signal !== undefined) acts.push({ signal, afterLines: lines.length });
    else if (line.startsWith('$ ')) throw new Error(`a transcript knows no command "${line}"`);
    else lines.push(line);
  }
  return { program, lines, acts, exitCode: exitLine === -1 ? undefined : Number(rest[exitLine + 1]) };
}

function fits(line: string, expected: string | undefined): boolean {
  if (expected === undefined) return false;
  const pattern = expected
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(line);
}
