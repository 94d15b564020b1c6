// Makes modules of examples: what an example uses is imported, unless it says so itself, and what it prints is kept.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fence } from './fences.ts';

/** Types have no value to find them by. */
const types: Record<string, readonly string[]> = {
  '@quiesce/cancellation-token': ['Source', 'Waiter', 'Clock'],
};

/** The names of everything that can be imported, by where from: `@quiesce/select`, `@quiesce/worker-pool/node`. */
const exported = await exportsOf(fileURLToPath(new URL('../../packages/', import.meta.url)));

/** Where modules are written: below the root, where imports find what is installed. */
export function outputFolder(name: string): string {
  return fileURLToPath(new URL(`../.output/${name}/`, import.meta.url));
}

/** Writes the examples into an empty folder, as modules; transcripts are none. */
export function writeModules(folder: string, fences: readonly Fence[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const fence of fences) {
    if (fence.kind === 'console') continue;
    const file = fileOf(folder, fence);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fence.file === undefined ? moduleOf(fence) : fence.code);
  }
}

/** Where the module of an example is. Programs of one page are neighbours, under their own names. */
export function fileOf(folder: string, fence: Fence): string {
  const plain = (text: string): string => text.replaceAll(/[^\w-]+/g, '_');
  return fence.file === undefined
    ? `${folder}${plain(fence.place)}.${fence.kind}`
    : `${folder}${plain(fence.page)}/${fence.file}`;
}

function moduleOf(fence: Fence): string {
  const imports = [...exported].flatMap(([name, exports]) => {
    const used = [...exports, ...(types[name] ?? []).map((type) => `type ${type}`)].filter((item) =>
      new RegExp(`\\b${item.replace('type ', '')}\\b`).test(fence.code),
    );
    const isWritten = fence.code.includes(`from '${name}'`);
    return used.length === 0 || isWritten ? [] : [`import { ${used.join(', ')} } from '${name}';`];
  });
  const lines = [
    ...imports,
    'export const printed: unknown[][] = [];',
    'const console = { log: (...values: unknown[]) => void printed.push(values), error: () => {} };',
    fence.code,
    'void console;',
  ];
  return `${lines.join('\n')}\n`;
}

/** Loads every public package, and every subpath of it, and reads the names off. */
async function exportsOf(packages: string): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const folder of readdirSync(packages)) {
    const manifest = JSON.parse(readFileSync(`${packages}${folder}/package.json`, 'utf8')) as {
      readonly name: string;
      readonly private?: boolean;
      readonly exports: Record<string, unknown>;
    };
    if (manifest.private === true) continue;
    for (const path of Object.keys(manifest.exports)) {
      if (path === './package.json') continue;
      const name = `${manifest.name}${path.slice(1)}`;
      found.set(name, Object.keys((await import(name)) as object));
    }
  }
  return found;
}
