// Checks every packed package against package.json (publint) and against the resolution of TypeScript (attw).
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import packAll, { tarballOf } from './pack.ts';
import { publicPackages, root } from './packages.ts';

const publint = join(root, 'node_modules/publint/src/cli.js');
const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');

packAll();
for (const found of publicPackages()) {
  const tarball = tarballOf(found);
  // The resolution of Node 10 knows no subpaths, and such an old Node is not supported.
  const outcomes = [run(publint, 'run', tarball, '--strict'), run(attw, tarball, '--profile', 'node16')];
  const problems = outcomes.filter(({ status }) => status !== 0);
  for (const { stdout, stderr } of problems) console.log(stdout + stderr);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`  ${found.manifest.name}: publint and attw find nothing`);
}

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}
