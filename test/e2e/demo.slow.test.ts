import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const demo = fileURLToPath(new URL('../../docs/examples/demo.ts', import.meta.url));

async function runDemo(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [
    '--conditions=built',
    '--import',
    'tsx',
    demo,
    '--example',
    'worker-loop',
    ...args,
  ]);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    output += String(chunk);
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

describe('the demo of the worker loop', () => {
  it('exits with 0 and lists the workers that cleaned up', async () => {
    const { code, output } = await runDemo();
    expect(output).toMatch(/cleaned up {5}\d, \d, \d, \d, \d, in this order/);
    expect(output).toContain('nothing was lost');
    expect(code).toBe(0);
  });

  it('exits 1 and names the workers whose cleanup was lost', async () => {
    const { code, output } = await runDemo('--without', '--signal', 'SIGTERM');
    expect(output).toContain('LOST: no cleanup of worker 1, 2, 3, 4, 5; killed by SIGTERM');
    expect(code).toBe(1);
  });

  it('rejects an unsupported signal with a message', async () => {
    const { code, output } = await runDemo('--signal', 'SIGKILL');
    expect(output).toContain('--signal takes SIGINT or SIGTERM, got "SIGKILL"');
    expect(code).toBe(2);
  });
});
