// The package under a runner, in a process of its own.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeOf } from '../../../test/runtimes/install.ts';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));

function run(
  folder: string,
  node: string,
  ...args: readonly string[]
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(node, args, {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', CI: '1', FORCE_COLOR: '0' },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    child.on('close', (code) => resolve({ code, output }));
  });
}

const runners = {
  'node:test': ['--test', '--test-reporter=tap', 'node.suite.cjs'],
  jest: [
    `${packageFolder}node_modules/jest/bin/jest.js`,
    '--rootDir',
    '.',
    '--testMatch',
    '**/jest.suite.cjs',
    '--verbose',
  ],
  'vitest in processes': vitest('forks'),
  'vitest in threads': vitest('threads'),
};
export type Runner = keyof typeof runners;
export const allRunners = Object.keys(runners) as Runner[];

function vitest(pool: string): string[] {
  const bin = `${root}node_modules/vitest/vitest.mjs`;
  return [bin, 'run', '--root', '.', '--pool', pool, '--reporter', 'verbose', '--config', 'vitest.config.mjs'];
}

/** Tests runners on a version of Node. */
export function testRunners(version: number, names: readonly Runner[]): void {
  describe(`on Node ${version}`, () => {
    const folder = `${root}test/.output/runners-${version}-${names.length}/`;

    beforeAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      cpSync(`${packageFolder}test/runners`, folder, { recursive: true });
      symlinkSync(`${root}node_modules`, `${folder}node_modules`);
      writeFileSync(`${folder}vitest.config.mjs`, "export default { test: { include: ['vitest.suite.mjs'] } };");
      await build({
        entryPoints: [`${packageFolder}src/index.ts`],
        outfile: `${folder}testing.cjs`,
        bundle: true,
        platform: 'node',
        format: 'cjs',
        logLevel: 'error',
      });
    });

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test.each(names)('%s reports failures, and its next test is unaffected', async (name) => {
      const { code, output } = await run(folder, nodeOf(version), ...runners[name]);
      expect(code, output).not.toBe(0);
      const ends = [...output.matchAll(/^\s*(?<mark>ok|not ok|✓|✕|×)[^\n]*?(?<wanted>passes|fails): /gmu)].map(
        ({ groups }) => ({
          wanted: groups?.['wanted'],
          got: groups?.['mark'] === 'ok' || groups?.['mark'] === '✓' ? 'passes' : 'fails',
        }),
      );
      expect(ends, output).toHaveLength(7);
      for (const { wanted, got } of ends) expect(got, output).toBe(wanted);
      expect(output).toContain('test: order 21');
      expect(output).toContain('unhandled rejection: no code handles it');
      expect(output).toContain('uncaught exception: no code catches it');
      expect(output).toContain('a real timer');
      expect(output).toMatch(/suite\.cjs:\d+/);
      expect(output).toContain("explore(test, { replay: '");
    });
  });
}
