// The first five programs of the documentation, as a new user runs them: an empty folder, installed packages, and Node.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { installIn } from './pack.ts';
import { type Package, publicPackages, root } from './packages.ts';

const execute = promisify(execFile);
const source = join(root, 'docs/examples/first-page');
const programs = ['token.ts', 'select.ts', 'broadcast.ts', 'scope.ts', 'shutdown.ts'];
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

test('the first page has exactly these five programs', () => {
  expect(readdirSync(source).sort()).toEqual([...programs].sort());
});

describe.concurrent('in an empty folder', () => {
  test.each(programs)('%s prints the promised output', async (program) => {
    const code = readFileSync(join(source, program), 'utf8');
    const promised = [...code.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1]);
    expect(promised.length).toBeGreaterThan(0);

    const folder = mkdtempSync(join(tmpdir(), 'quiesce-first-page-'));
    folders.push(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'first-page', private: true, type: 'module' }));
    const { code: script } = await transform(code, { loader: 'ts', target: 'es2022', format: 'esm' });
    writeFileSync(join(folder, 'program.js'), script);
    await installIn(folder, neededBy(code));

    const { stdout } = await execute(process.execPath, ['program.js'], { cwd: folder });
    expect(stdout.trimEnd().split('\n')).toEqual(promised);
  });
});

/** Returns the packages that a program imports, and their dependencies. They are installed from tarballs here. */
function neededBy(code: string): Package[] {
  const packages = publicPackages();
  const needed = new Set([...code.matchAll(/from '(@quiesce\/[\w-]+)'/g)].map((match) => match[1]));
  for (const name of needed) {
    const found = packages.find(({ manifest }) => manifest.name === name);
    for (const dependency of Object.keys(found?.manifest.dependencies ?? {})) needed.add(dependency);
  }
  return packages.filter(({ manifest }) => needed.has(manifest.name));
}
