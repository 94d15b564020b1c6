// A bundler drops every class that a program does not use: the top level of a package has no side effects.
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { publicPackages } from './packages.ts';

const everywhere = publicPackages().filter(({ entries }) => entries.has('.'));

test.each(everywhere)('an unused $folder leaves no class in the bundle', async ({ directory }) => {
  const { outputFiles } = await build({
    stdin: { contents: `import '${directory}/dist/index.js';`, resolveDir: directory },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    external: ['effect', '@sinonjs/fake-timers'],
    plugins: [
      {
        name: 'ignores what package.json says about side effects',
        setup: (b) => {
          b.onResolve({ filter: /dist\/index\.js$/ }, ({ path }) => ({ path, sideEffects: true }));
          b.onResolve({ filter: /^@quiesce\// }, ({ path }) => ({ path, external: true, sideEffects: false }));
        },
      },
    ],
  });
  const left = outputFiles[0]?.text ?? '';
  expect([...left.matchAll(/^(?:var (\w+) = )?class (\w*)/gm)].map(([line]) => line)).toEqual([]);
});
