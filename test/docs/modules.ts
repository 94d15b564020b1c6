// Turns examples into modules that record the values which they print. Examples in Markdown stand alone: they import each name that
// they use. Examples in docstrings leave imports out, and the module adds them.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { publicPackages, root } from '../package/packages.ts';
import type { Fence } from './fences.ts';

/** Types that examples use. They have no value, so the imported module does not list them. */
const types: Record<string, readonly string[]> = {
  '@quiesce/cancellation-token': ['Source', 'Waiter', 'Clock'],
};

/** The exported names of each module: `@quiesce/select`, `@quiesce/worker-pool/node`. */
const exported = new Map(
  await Promise.all(
    publicPackages()
      // The umbrella has the same names.
      .filter(({ manifest }) => manifest.name !== 'quiesce')
      .flatMap(({ manifest, entries }) => [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)))
      .map(async (name) => [name, Object.keys((await import(name)) as object)] as const),
  ),
);

/** Returns the folder for modules, below the root, so that imports find the installed packages. */
export function outputFolder(name: string): string {
  return `${root}test/.output/${name}/`;
}

/** Writes the examples into an empty folder, as modules. Transcripts are skipped. */
export function writeModules(folder: string, fences: readonly Fence[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const fence of fences) {
    if (fence.language === 'console') continue;
    const file = fileOf(folder, fence);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fence.file === undefined ? moduleOf(fence) : fence.code);
  }
}

/** Returns the path of an example's module. Programs of one page are neighbours, under their own names. */
export function fileOf(folder: string, fence: Fence): string {
  const plain = (text: string): string => text.replaceAll(/[^\w-]+/g, '_');
  return fence.file === undefined
    ? `${folder}${plain(fence.place)}.${fence.language}`
    : `${folder}${plain(fence.page)}/${fence.file}`;
}

function moduleOf(fence: Fence): string {
  const lines = [
    ...(fence.page.endsWith('.md') ? [] : importsFor(fence)),
    'export const printed: unknown[][] = [];',
    'const console = { log: (...values: unknown[]) => void printed.push(values), error: () => {} };',
    fence.code,
    'void console;',
  ];
  return `${lines.join('\n')}\n`;
}

/** Returns imports of the names that an example uses without importing them. Of two modules that export a name, the first counts. */
function importsFor(fence: Fence): string[] {
  const written = [...fence.code.matchAll(/^import \{([^}]*)\}/gm)].flatMap(([, names = '']) => names.split(/[\s,]+/));
  return [...exported].flatMap(([name, exports]) => {
    const used = [...exports, ...(types[name] ?? []).map((type) => `type ${type}`)].filter(
      (item) => !written.includes(item) && new RegExp(`\\b${item.replace('type ', '')}\\b`).test(fence.code),
    );
    written.push(...used);
    const isWritten = fence.code.includes(`from '${name}'`) || fence.code.includes("from 'quiesce");
    return used.length === 0 || isWritten ? [] : [`import { ${used.join(', ')} } from '${name}';`];
  });
}
