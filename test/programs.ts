// Programs that tests start as processes. With a TypeScript loader, a program takes half a second to start. Bundled with
// everything that it imports, it takes a tenth of that.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'test/.output/programs');
const bundles = new Map<string, Promise<string>>();

/** Starts the program at `path`, with a channel for messages. Its output goes to that of this process. */
export async function forkProgram(path: string, ...args: string[]): Promise<ChildProcess> {
  const node = await nodeArgs(path);
  return fork(node.pop() as string, args, { execArgv: node, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** Returns the arguments with which Node runs the program at `path`. Its stack traces name the sources. */
export async function nodeArgs(path: string): Promise<string[]> {
  const bundle = bundles.get(path) ?? bundleProgram(path);
  bundles.set(path, bundle);
  return [...process.execArgv, '--enable-source-maps', await bundle];
}

async function bundleProgram(path: string): Promise<string> {
  const name = relative(root, dirname(path)).replaceAll(/[^\w-]+/g, '.');
  // A run against the build and one against the sources may happen at the same time.
  const isBuilt = process.execArgv.includes('--conditions=built');
  const outfile = join(output, isBuilt ? 'built' : 'sources', `${name}.${basename(path, '.ts')}.mjs`);
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [path],
    outfile,
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    sourcemap: 'inline',
    conditions: isBuilt ? ['built'] : [],
    // CommonJS in the bundle requires modules of Node.
    banner: { js: "globalThis.require ??= process.getBuiltinModule('module').createRequire(import.meta.url);" },
    // They load parts of themselves by computed paths.
    external: [
      ...['@nestjs/*', 'bullmq', 'ioredis', 'cli-progress', 'close-with-grace', 'express', 'fastify', 'kafkajs'],
      ...['pg', 'pg-boss', 'pino', 'reflect-metadata'],
    ],
    // The decorators of Nest.
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
  });
  mkdirSync(dirname(outfile), { recursive: true });
  // Rename only a complete file: another process may bundle the same program, or start it at this moment.
  const unfinished = `${outfile}.${process.pid}`;
  for (const { contents } of outputFiles) writeFileSync(unfinished, contents);
  renameSync(unfinished, outfile);
  return outfile;
}
