import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { nodeProblems } from './node-modules.ts';
import { nodeOnlyEntries, readPackageAt, root } from './packages.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quiesce-node-only-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a package that has these files. */
function write(manifest: object, files: Record<string, string>): void {
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
}

/** What the check says of it. */
function check(manifest: object, files: Record<string, string>): Promise<string[]> {
  write(manifest, files);
  return nodeProblems(readPackageAt(folder));
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
    ['imports what this Node has not got', `import 'node:future';`, 'src/index.ts imports node:future'],
    ['imports what another runtime has', `export * from 'bun:sqlite';`, 'src/index.ts imports bun:sqlite'],
    [
      'imports what it is told',
      'export const load = (name: string) => import(name);',
      'src/index.ts imports what is known at run time alone',
    ],
    [
      'requires what it is told',
      'export const load = (name: string) => require(name);',
      'src/index.ts requires what is known at run time alone',
    ],
    [
      'requires it by another name',
      `const load = require; export const fs = load('fs');`,
      'src/index.ts requires what is known at run time alone',
    ],
    [
      'asks for it by a key',
      `export const os = globalThis.process?.['getBuiltinModule']('node:os');`,
      'src/index.ts asks process.getBuiltinModule for node:os',
    ],
    [
      'asks for it by another name',
      `const { getBuiltinModule: load } = process; export const os = load('node:os');`,
      'src/index.ts asks process.getBuiltinModule for something',
    ],
    [
      'asks for it by way of something else',
      `export const os = process.getBuiltinModule.call(process, 'node:os');`,
      'src/index.ts asks process.getBuiltinModule for something',
    ],
    [
      'asks for what it is told',
      'export const load = (name: string) => process.getBuiltinModule?.(name);',
      'src/index.ts asks process.getBuiltinModule for something',
    ],
  ])('fails when a package %s and does not say that it runs on Node only', async (_, source, use) => {
    expect(await check({}, { 'src/index.ts': source })).toEqual([`${everywhere} ${use}`]);
  });

  it('sees it however deep it lies', async () => {
    const files = {
      'src/index.ts': `export * from './a.ts';`,
      'src/a.ts': `export * from './b.ts';`,
      'src/b.ts': `import 'node:tls';`,
    };
    expect(await check({}, files)).toEqual([`${everywhere} src/b.ts imports node:tls`]);
  });

  test.each([
    ['types are imported', `import type { Server } from 'node:net'; export type { Server };`],
    ['types are told of', 'export interface Host { getBuiltinModule?: (id: string) => unknown }'],
    ['types are picked', `export type Host = Pick<typeof process, 'getBuiltinModule'>;`],
    ['something is declared', `declare const require: unknown; export type Require = typeof import('node:module');`],
    ['other packages are imported', `import 'pg'; import '@quiesce/select';`],
  ])('nothing is wrong when %s', async (_, source) => {
    expect(await check({}, { 'src/index.ts': source })).toEqual([]);
  });

  it('lets a package ask for what it does without otherwise, if it says so and asks by `?.`', async () => {
    const quiesce = { nodeIfThere: ['node:os'] };
    const optional = { 'src/index.ts': `export const os = globalThis.process?.getBuiltinModule?.('node:os');` };
    const needed = { 'src/index.ts': `export const os = process.getBuiltinModule('node:os');` };
    const problem = [`${everywhere} src/index.ts asks process.getBuiltinModule for node:os`];
    expect(await check({ quiesce }, optional)).toEqual([]);
    expect(await check({}, optional)).toEqual(problem);
    expect(await check({ quiesce }, needed)).toEqual(problem);
  });

  it('goes by subpath', async () => {
    const quiesce = { nodeOnly: ['./node'] };
    const files = { 'src/node.ts': `export { once } from 'node:events';` };
    expect(await check({ quiesce }, files)).toEqual([]);
    const both = { ...files, 'src/index.ts': `export * from './node.ts';` };
    expect(await check({ quiesce }, both)).toEqual([`${everywhere} src/node.ts imports node:events`]);
  });

  it('fails when a declaration is not true, names nothing, or has no engines beside it', async () => {
    expect(await check({ quiesce: { nodeOnly: ['.'] } }, {})).toEqual([
      'sample declares "." as Node-only, and nothing in it asks for Node',
    ]);
    expect(await check({ quiesce: { nodeOnly: ['./nowhere'] } }, {})).toEqual([
      'sample declares "./nowhere" as Node-only, which it does not export',
    ]);
    const files = { 'src/index.ts': `import 'node:fs';` };
    expect(await check({ quiesce: { nodeOnly: ['.'] }, engines: {} }, files)).toEqual([
      'sample has Node-only parts, and its engines do not say which Node',
    ]);
  });

  it.each([
    ['0 when nothing is wrong', '', 0, ''],
    ['1 when something is, which it prints', `import 'node:fs';`, 1, `${everywhere} src/index.ts imports node:fs`],
  ])('ends with %s', (_, source, code, said) => {
    write({}, { 'src/index.ts': source });
    const args = ['--import', 'tsx', 'test/package/node-only.ts', folder];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect([status, stdout.trim()]).toEqual([code, said]);
  });
});

it('has a case in test/conformance/node-only.test.ts for everything that runs on Node only', () => {
  const cases = readFileSync(join(root, 'test/conformance/node-only.test.ts'), 'utf8');
  for (const entry of nodeOnlyEntries()) expect(cases).toContain(`import('${entry}')`);
});
