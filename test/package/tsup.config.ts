// How one package is built: ESM, CJS and both kinds of declarations. It runs in the package's folder and derives its
// entries from the `exports` there, so that a new subpath needs nothing here.
import { basename } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { nodeOnly, outputName, readPackage, root } from './packages.ts';

/** It is never published: the token's package contains it, and gives it to the others. */
const internal = '@quiesce/internal';
const home = '@quiesce/cancellation-token';

const found = readPackage(basename(process.cwd()));
const { manifest, entries, internals } = found;
const configuration = nodeOnly(found).length > 0 ? 'node' : 'everywhere';

type Plugin = NonNullable<Options['plugins']>[number];

/**
 * esbuild renames a class whose static fields refer to it, `class _Sender`, and that is the name that errors, logs and stacks
 * show. Inside such a class the name that it had means the same.
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
  // What runs on Node only says so; Deno knows Node's modules by this name alone.
  removeNodeProtocol: false,
  sourcemap: true,
  clean: true,
  plugins: [classNames],
  // Two entries of one package share their modules, or what has identity would exist twice.
  splitting: true,
  // Only Rollup, which this calls in, splits CommonJS and leaves classes as they are.
  treeshake: true,
  // An entry may also import another one of its package by name, as its users do.
  external: [manifest.name, /^node:/],
  noExternal: [internal],
  esbuildPlugins: manifest.name === home ? [] : [shared],
  dts: {
    // Consumers without `esnext` in their `lib` would not know `Disposable` otherwise.
    banner: '/// <reference lib="esnext.disposable" />',
    compilerOptions: {
      stripInternal: true,
      incremental: false,
      // Matters of style, which `npm run check` reports: a build may have unused imports for an hour.
      isolatedDeclarations: false,
      noUnusedLocals: false,
      noUnusedParameters: false,
      // tsup sets `baseUrl`, which TypeScript 6 calls deprecated.
      ignoreDeprecations: '6.0',
      // What is found through node_modules stays an import in the declarations; what is found by path is inlined.
      paths: { [internal]: [`${root}packages/internal/src/index.ts`] },
    },
  },
});
