// Builds one package: ESM and CJS. It runs in the package's folder and takes the entries from `exports`, so that a new subpath
// needs no change here.
import { basename } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { home, internal, nodeOnly, outputName, readPackage, root } from './packages.ts';

const found = readPackage(basename(process.cwd()));
const { manifest, entries, internals } = found;
const configuration = nodeOnly(found).length > 0 ? 'node' : 'everywhere';

type Plugin = NonNullable<Options['plugins']>[number];

/**
 * esbuild renames a class whose static fields refer to it, to `class _Sender`. Errors, logs and stacks would show that
 * name. Inside such a class the original name has the same meaning.
 */
const classNames: Plugin = {
  name: 'class-names',
  renderChunk(code) {
    const renamed = code.matchAll(/\bvar (\w+) = class _\1\b/g);
    const restored = [...renamed].reduce(
      (text, [, name]) => text.replaceAll(RegExp(`\\b_${name}\\b`, 'g'), String(name)),
      code,
    );
    return { code: restored };
  },
};

/** One copy of the shared code for all packages. */
const shared: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'shared',
  setup: (build) => {
    build.onResolve({ filter: new RegExp(`^${internal}$`) }, () => ({ path: `${home}/internal`, external: true }));
  },
};

export default defineConfig({
  name: manifest.name,
  silent: true,
  entry: Object.fromEntries([...entries, ...internals].map(([subpath, source]) => [outputName(subpath), source])),
  tsconfig: `${root}test/tsconfig.${configuration}.json`,
  format: ['esm', 'cjs'],
  target: 'es2022',
  platform: 'neutral',
  // Entries for Node only import `node:` names, because Deno knows Node's modules by these names alone.
  removeNodeProtocol: false,
  sourcemap: true,
  clean: true,
  plugins: [classNames],
  // Two entries of one package share their modules. A second copy of a class would break `instanceof`.
  splitting: true,
  // Only Rollup, which `treeshake` enables, splits CommonJS and leaves classes unchanged.
  treeshake: true,
  // An entry may import another entry of its package by name, as users do.
  external: [manifest.name, /^node:/],
  noExternal: [internal],
  esbuildPlugins: manifest.name === home ? [] : [shared],
  // declarations.ts makes the declarations of all packages in a tenth of the time.
  dts: false,
});
