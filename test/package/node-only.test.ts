import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { nodeOnlyEntries, root } from './packages.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quiesce-node-only-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the check says of a package that has these files. */
function check(manifest: object, files: Record<string, string>): { status: number | null; said: string } {
  const json = {
    name: 'sample',
    version: '1.0.0',
    engines: { node: '>=20.19' },
    exports: { '.': { default: './src/index.ts' }, './node': { default: './src/node.ts' } },
    ...manifest,
  };
  const all = { 'package.json': JSON.stringify(json), 'src/index.ts': '', 'src/node.ts': '', ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'test/package/node-only.ts', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, said: stdout.trim() };
}

const everywhere = 'sample does not declare "." as Node-only, and';

describe('the check of what needs Node', () => {
  it.each([
    ['imports a module', `import fs from 'node:fs'; console.log(fs);`, 'src/index.ts imports node:fs'],
    ['imports it by its old name', `import { join } from 'path'; join();`, 'src/index.ts imports path'],
    ['imports it later', `export const load = () => import('node:net');`, 'src/index.ts imports node:net'],
    ['imports what runs on Node only', `import '@quiesce/shutdown';`, 'src/index.ts imports @quiesce/shutdown'],
    ['exports from it', `export { once } from 'node:events';`, 'src/index.ts imports node:events'],
    [
      'asks the process for it',
      `export const os = process.getBuiltinModule('node:os');`,
      'src/index.ts asks process.getBuiltinModule for node:os',
    ],
  ])('fails when a package %s and does not say that it runs on Node only', (_, source, use) => {
    expect(check({}, { 'src/index.ts': source })).toEqual({ status: 1, said: `${everywhere} ${use}` });
  });

  it('sees it however deep it lies', () => {
    const files = {
      'src/index.ts': `export * from './a.ts';`,
      'src/a.ts': `export * from './b.ts';`,
      'src/b.ts': `import 'node:tls';`,
    };
    expect(check({}, files)).toEqual({ status: 1, said: `${everywhere} src/b.ts imports node:tls` });
  });

  test.each([
    ['types are imported', `import type { Server } from 'node:net'; export type { Server };`],
    ['other packages are imported', `import 'pg'; import '@quiesce/select';`],
  ])('nothing is wrong when %s', (_, source) => {
    expect(check({}, { 'src/index.ts': source })).toEqual({ status: 0, said: '' });
  });

  it('lets a package ask for what it does without otherwise, if it says so and asks by `?.`', () => {
    const quiesce = { nodeIfThere: ['node:os'] };
    const optional = { 'src/index.ts': `export const os = globalThis.process?.getBuiltinModule?.('node:os');` };
    const needed = { 'src/index.ts': `export const os = process.getBuiltinModule('node:os');` };
    const problem = { status: 1, said: `${everywhere} src/index.ts asks process.getBuiltinModule for node:os` };
    expect(check({ quiesce }, optional)).toEqual({ status: 0, said: '' });
    expect(check({}, optional)).toEqual(problem);
    expect(check({ quiesce }, needed)).toEqual(problem);
  });

  it('goes by subpath', () => {
    const quiesce = { nodeOnly: ['./node'] };
    const files = { 'src/node.ts': `export { once } from 'node:events';` };
    expect(check({ quiesce }, files)).toEqual({ status: 0, said: '' });
    const both = { ...files, 'src/index.ts': `export * from './node.ts';` };
    expect(check({ quiesce }, both)).toEqual({ status: 1, said: `${everywhere} src/node.ts imports node:events` });
  });

  it('fails when a declaration is not true, names nothing, or has no engines beside it', () => {
    expect(check({ quiesce: { nodeOnly: ['.'] } }, {})).toEqual({
      status: 1,
      said: 'sample declares "." as Node-only, and nothing in it asks for Node',
    });
    expect(check({ quiesce: { nodeOnly: ['./nowhere'] } }, {})).toEqual({
      status: 1,
      said: 'sample declares "./nowhere" as Node-only, which it does not export',
    });
    const files = { 'src/index.ts': `import 'node:fs';` };
    expect(check({ quiesce: { nodeOnly: ['.'] }, engines: {} }, files)).toEqual({
      status: 1,
      said: 'sample has Node-only parts, and its engines do not say which Node',
    });
  });
});

it('has a case in test/conformance/node-only.test.ts for everything that runs on Node only', () => {
  const cases = readFileSync(join(root, 'test/conformance/node-only.test.ts'), 'utf8');
  for (const entry of nodeOnlyEntries()) expect(cases).toContain(`import('${entry}')`);
});
