// Holds every packed package against what package.json promises (publint) and what TypeScript finds (attw).
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import packAll, { tarballOf } from './pack.ts';
import { publicPackages, root } from './packages.ts';

const resolve = createRequire(import.meta.url).resolve;
const publint = join(dirname(resolve('publint/package.json')), 'src/cli.js');
const attw = join(dirname(resolve('@arethetypeswrong/cli/package.json')), 'dist/index.js');

packAll();
let failed = false;
for (const found of publicPackages()) {
  const tarball = tarballOf(found);
  run(publint, 'run', tarball, '--strict');
  // Resolution as of Node 10 knows no subpaths, and we support none that old.
  run(attw, tarball, '--profile', 'node16', '--format', 'ascii');
}
process.exitCode = failed ? 1 : 0;

function run(...args: string[]): void {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed = true;
}
