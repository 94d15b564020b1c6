// Makes the declarations of the packages. TypeScript writes one file for each source, and Rollup bundles the files of each entry,
// so that declarations have no paths into `src`.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Plugin, rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { home, internal, outputName, type Package, root } from './packages.ts';

const emitted = join(root, 'test/.output/declarations');

/** Writes the declarations of all packages, without type checks. */
export function emitDeclarations(): void {
  rmSync(emitted, { recursive: true, force: true });
  const tsc = join(root, 'node_modules/typescript-7/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', join(root, 'test/tsconfig.declarations.json')], { stdio: 'inherit' });
}

/** Bundles the declarations of a package into its `dist`, for imports and for `require`. */
export async function bundleDeclarations({ folder, directory, manifest, entries, internals }: Package): Promise<void> {
  const input = Object.fromEntries(
    [...entries, ...internals].map(([subpath, source]) => [
      outputName(subpath),
      declarationOf(join(emitted, folder, source)),
    ]),
  );
  const bundle = await rollup({ input, plugins: [resolve(manifest.name === home), dts()] });
  for (const extension of ['d.ts', 'd.cts']) {
    await bundle.write({
      dir: join(directory, 'dist'),
      entryFileNames: `[name].${extension}`,
      chunkFileNames: `[name]-[hash].${extension}`,
      // Consumers without `esnext` in their `lib` would not know `Disposable` otherwise.
      banner: '/// <reference lib="esnext.disposable" />',
    });
  }
  await bundle.close();
}

/** Finds the emitted files. Imports of other packages stay imports. */
function resolve(isHome: boolean): Plugin {
  return {
    name: 'emitted declarations',
    resolveId(id, importer) {
      if (importer === undefined) return id;
      if (id.startsWith('.')) return declarationOf(join(dirname(importer), id));
      if (id !== internal) return { id, external: true };
      return isHome ? join(emitted, 'internal/src/index.d.ts') : { id: `${home}/internal`, external: true };
    },
  };
}

function declarationOf(source: string): string {
  return source.replace(/\.tsx?$/, '.d.ts');
}
