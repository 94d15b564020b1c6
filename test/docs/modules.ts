// Makes modules of examples: what an example uses is imported, unless it says so itself, and what it prints is kept.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { publicPackages, root } from '../package/packages.ts';
import type { Fence } from './fences.ts';

/** Types have no value to find them by. */
const types: Record<string, readonly string[]> = {
  '@quiesce/cancellation-token': ['Source', 'Waiter', 'Clock'],
};

/** The names of everything that can be imported, by where from: `@quiesce/select`, `@quiesce/worker-pool/node`. */
const exported = new Map(
  await Promise.all(
    publicPackages()
      .flatMap(({ manifest, entries }) => [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)))
      .map(async (name) => [name, Object.keys((await import(name)) as object)] as const),
  ),
);

/** Where modules are written: below the root, where imports find what is installed. */
export function outputFolder(name: string): string {
  return `${root}test/.output/${name}/`;
}

/** Writes the examples into an empty folder, as modules; transcripts are none. */
export function writeModules(folder: string, fences: readonly Fence[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const fence of fences) {
    if (fence.language === 'console') continue;
    const file = fileOf(folder, fence);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fence.file === undefined ? moduleOf(fence) : fence.code);
  }
}

/** Where the module of an example is. Programs of one page are neighbours, under their own names. */
export function fileOf(folder: string, fence: Fence): string {
  const plain = (text: string): string => text.replaceAll(/[^\w-]+/g, '_');
  return fence.file === undefined
    ? `${folder}${plain(fence.place)}.${fence.language}`
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
