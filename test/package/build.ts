// Builds every public package, two at a time: tsup builds the code in a process of its own, and declarations.ts the declarations.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDeclarations, emitDeclarations } from './declarations.ts';
import { outputName, type Package, publicPackages, root } from './packages.ts';

const tsup = join(root, 'node_modules/tsup/dist/cli-default.js');
const config = join(root, 'test/package/tsup.config.ts');

async function build(found: Package): Promise<void> {
  const start = performance.now();
  const child = spawn(process.execPath, [tsup, '--config', config], { cwd: found.directory, stdio: 'inherit' });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code === 0) await bundleDeclarations(found);
  const problem = code === 0 ? incomplete(found) : `tsup ended with ${code}`;
  const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  if (problem !== undefined) process.exitCode = 1;
  console.log(`  ${found.manifest.name} ${problem === undefined ? `built in ${seconds}` : `NOT BUILT: ${problem}`}`);
}

/** tsup may exit with 0 before it has written all files. */
function incomplete({ directory, entries, internals }: Package): string | undefined {
  const dist = join(directory, 'dist');
  const files = readdirSync(dist);
  const wanted = [...entries.keys(), ...internals.keys()].flatMap((subpath) =>
    ['js', 'cjs', 'd.ts', 'd.cts'].map((extension) => `${outputName(subpath)}.${extension}`),
  );
  const missing = wanted.find((file) => !files.includes(file));
  if (missing !== undefined) return `there is no dist/${missing}`;
  const code = files.filter((file) => !file.endsWith('.map'));
  const leaking = code.find((file) => readFileSync(join(dist, file), 'utf8').includes('@quiesce/internal'));
  return leaking === undefined ? undefined : `dist/${leaking} names @quiesce/internal, which is never published`;
}

async function worker(queue: Package[]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await build(next);
}

emitDeclarations();
const queue = publicPackages();
await Promise.all([worker(queue), worker(queue)]);
