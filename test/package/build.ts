// Builds every public package, two at a time, each by tsup in its own folder.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { outputName, type Package, publicPackages, root } from './packages.ts';

const tsup = join(dirname(createRequire(import.meta.url).resolve('tsup/package.json')), 'dist/cli-default.js');
const config = join(root, 'test/package/tsup.config.ts');

async function build(found: Package): Promise<void> {
  const start = performance.now();
  const child = spawn(process.execPath, [tsup, '--config', config], { cwd: found.directory, stdio: 'inherit' });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${found.manifest.name}: tsup ended with ${code}`);
  verify(found);
  console.log(`  ${found.manifest.name} built in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/** tsup may end well without having written the declarations, so look at what lies there. */
function verify({ directory, manifest, entries }: Package): void {
  const files = readdirSync(join(directory, 'dist'));
  for (const subpath of entries.keys()) {
    for (const extension of ['js', 'cjs', 'd.ts', 'd.cts']) {
      const file = `${outputName(subpath)}.${extension}`;
      if (!files.includes(file)) throw new Error(`${manifest.name}: the build made no dist/${file}`);
    }
  }
  for (const file of files) {
    if (file.endsWith('.map') || !readFileSync(join(directory, 'dist', file), 'utf8').includes('@quiesce/internal'))
      continue;
    throw new Error(`${manifest.name}: dist/${file} names @quiesce/internal, which is never published`);
  }
}

async function worker(queue: Package[]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await build(next);
}

const queue = publicPackages();
await Promise.all([worker(queue), worker(queue)]);
