// Runs of the demo of the fleet.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const demo = fileURLToPath(new URL('../../docs/examples/demo.ts', import.meta.url));
/** Only a demo that hangs takes this long. */
export const LONG = 600_000;

export async function runDemo(args: readonly string[], env: Record<string, string> = {}) {
  const { DATABASE_URL, REDIS_URL, NATS_URL, ...rest } = process.env;
  const all = ['--conditions=built', '--import', 'tsx', demo, '--example', 'fleet', ...args];
  const child = spawn(process.execPath, all, { env: { ...rest, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

/** The findings of a run in which nothing was lost. */
export const clean = [
  /cancelled {6}14 of 14 cancelled jobs have stopped/,
  /others {9}0 of 27 were hit/,
  /cut off {8}worker-2 was named silent, and reached when it was back/,
  /lease {10}worker-\d took over from worker-\d; late writes of worker-\d: \d/,
  /drained {8}27 jobs finished, 0 cut off; 0 drains at the same time; exit codes 0, 0, 0/,
  /verdict {8}nothing was lost/,
];
