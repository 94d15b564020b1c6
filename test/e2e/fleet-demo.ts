// Runs of the demo of the fleet.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { startPostgres } from '../../packages/adapters/test/servers.ts';

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

interface DemoServer {
  /** The variable with the URL of the server. */
  readonly variable: string;
  readonly name: string;
  readonly program: { readonly isMissing: boolean; readonly note: string };
  readonly start: () => Promise<Pick<Awaited<ReturnType<typeof startPostgres>>, 'port' | 'stop'>>;
  /** What comes before the host in the URL. */
  readonly scheme: string;
}

/** Declares the test of the demo on a server. */
export function losesNothingOn({ variable, name, program, start, scheme }: DemoServer): void {
  const title = `exits with 0 on the ${name} of ${variable}${program.note}`;
  it.skipIf(program.isMissing)(title, { timeout: LONG }, async () => {
    const server = await start();
    try {
      const { code, output } = await runDemo([], { [variable]: `${scheme}127.0.0.1:${server.port}` });
      expect(output).toContain(`engine: the ${name} of ${variable}; hints: 'push'`);
      for (const finding of clean) expect(output).toMatch(finding);
      expect(code).toBe(0);
    } finally {
      await server.stop();
    }
  });
}
