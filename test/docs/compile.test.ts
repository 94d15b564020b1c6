import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from '../package/packages.ts';
import { packageFences, pageFences } from './fences.ts';
import { outputFolder, writeModules } from './modules.ts';

it('all examples compile under the strictest settings', () => {
  const output = outputFolder('compiled');
  writeModules(output, [...packageFences, ...pageFences]);
  const config = {
    extends: '../../tsconfig.node.json',
    include: ['**/*.ts', '**/*.tsx'],
    exclude: [],
    compilerOptions: {
      ...{ noEmit: true, rootDir: '../../..', jsx: 'react-jsx', tsBuildInfoFile: '../../.cache/examples.tsbuildinfo' },
      // An example may show a name without using it.
      ...{ noUnusedLocals: false, noUnusedParameters: false },
      // The decorators of Nest.
      experimentalDecorators: true,
    },
  };
  writeFileSync(`${output}tsconfig.json`, JSON.stringify(config));
  const tsc = `${root}node_modules/typescript-7/bin/tsc`;
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsc, '-p', output], { encoding: 'utf8' });
  // A compiler that crashes prints no error to stdout.
  expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
}, 300_000);
