// Runtimes that are a command with files: each bundle runs in a process of its own.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../package/packages.ts';
import type { Outcome } from './inside/main.ts';
import type { Session } from './runtimes.ts';

/** How a command runs a module. */
interface Command {
  binary: string;
  args: readonly string[];
  /** What gives it `globalThis.gc`, for leak tests. */
  withGc: readonly string[];
  /** An expression that is its version. */
  ask: string;
}

const launcher = fileURLToPath(new URL('launch.mjs', import.meta.url));

/** A file that takes longer hangs. */
export const patience = 400_000;

export async function processes({ binary, args, withGc, ask }: Command): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-runtime-'));
  let count = 0;
  return {
    version: versionOf({ binary, args, withGc, ask }, folder),
    run: (bundle, { suite }, options) => {
      const report = join(folder, `${count++}.json`);
      const flags = suite === 'leak' ? [...args, ...withGc] : args;
      return runOne(binary, [...flags, launcher, bundle, report, JSON.stringify(options)], report);
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function versionOf({ binary, args, ask }: Command, folder: string): string {
  const file = join(folder, 'version.mjs');
  writeFileSync(file, `import process from 'node:process'; console.log(${ask});`);
  const { status, stdout, stderr } = spawnSync(binary, [...args, file], { encoding: 'utf8', cwd: root });
  if (status !== 0) throw new Error(`${binary} does not start: ${stderr.trim().split('\n')[0]}`);
  return stdout.trim();
}

function runOne(binary: string, args: readonly string[], report: string): Promise<Outcome> {
  const child = spawn(binary, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said = (said + String(chunk)).slice(-2_000);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const end = `the process ${signal === null ? `ended with ${code}` : `was ended by ${signal}`}`;
      try {
        const outcome = JSON.parse(readFileSync(report, 'utf8')) as Outcome;
        if (code !== 0) outcome.errors.push(`${end} after its report:\n${said.trim()}`);
        resolve(outcome);
      } catch {
        resolve({ results: [], errors: [`${end} without a report:\n${said.trim()}`] });
      }
    });
  });
}
