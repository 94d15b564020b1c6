// The programs of docs/guide/test-runners.md, in a folder with the packed packages, run by the real runners.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fencesOf, textOf } from '../docs/fences.ts';
import { copyInstalled } from './pack.ts';
import { root } from './packages.ts';

const page = 'docs/guide/test-runners.md';
const folder = mkdtempSync(join(tmpdir(), 'quiesce-runners-'));
const runners = ['vitest', 'happy-dom', 'jsdom', 'jest', 'jest-environment-jsdom'];

/** The programs of the page by the names in their first lines. */
const programs = new Map(
  fencesOf(page, textOf(page)).flatMap(({ code }) => {
    const [, name] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? [];
    return name === undefined ? [] : [[name, code] as const];
  }),
);
const program = (name: string): string => programs.get(name) ?? `throw new Error('the page has no ${name}');`;

beforeAll(async () => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'runners', private: true }));
  copyInstalled(folder);
  for (const name of runners)
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  for (const name of ['vitest', 'jest', 'node']) mkdirSync(join(folder, name));
  for (const name of ['search.ts', 'search.test.ts']) writeFileSync(join(folder, 'vitest', name), program(name));
  // As ts-jest and swc do: TypeScript becomes CommonJS.
  const forJest = program('search.test.ts')
    .replace(/^import .* from 'vitest';\n/m, '')
    .replaceAll(/\bvi\./g, 'jest.');
  await compile('jest/search.js', program('search.ts'));
  await compile('jest/search.test.js', forJest);
  cpSync(join(folder, 'jest/search.js'), join(folder, 'node/search.js'));
  await compile('node/search.test.js', program('search.node.ts'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function compile(file: string, code: string): Promise<void> {
  writeFileSync(
    join(folder, file),
    (await transform(code, { loader: 'ts', target: 'es2022', format: 'cjs', platform: 'node' })).code,
  );
}

/** Returns what the runner printed on both streams, without the variables that this runner has set. */
async function run(...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' };
  const options = { cwd: folder, env };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options).catch((error) => error);
  return stdout + stderr;
}

test.each(['node', 'happy-dom', 'jsdom'])('vitest runs the test in the environment %s', async (environment) => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  expect(await run(vitest, 'run', '--root', 'vitest', '--environment', environment)).toMatch(/Tests {2}3 passed \(3\)/);
});

test.each(['node', 'jsdom'])('Jest runs the test in the environment %s', async (environment) => {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const args = ['--rootDir', join(folder, 'jest'), '--env', environment, '--transform', '{}'];
  expect(await run(jest, ...args)).toMatch(/Tests: +3 passed, 3 total/);
});

test('node:test runs the test with a virtual clock', async () => {
  expect(await run('--test', '--test-reporter=tap', 'node/search.test.js')).toMatch(/# pass 2\n# fail 0/);
});
