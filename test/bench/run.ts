// `npm run bench`, `npm run bench -- token`, `npm run bench -- token --node 24 --json figures.json`.
//
// What is measured runs on plain Node, on the packages as they were built: a loader that renames or wraps functions on the
// way makes hot code several times slower. Each row has processes of its own, so that none pays for what another one has
// taught the optimiser.

import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { nodeOf } from '../runtimes/install.ts';
import type { Measured } from './harness.ts';
import { type Figure, figuresOf, linesOf, print } from './table.ts';

const files = ['token', 'select', 'broadcast', 'channel', 'scope'] as const;
const PROCESSES = 3;
/** Without the last one, collections that a rival asks for would also throw away the code of whoever is not its turn. */
const flags = ['--conditions=built', '--expose-gc', '--no-flush-bytecode'];
const folder = import.meta.dirname;

const { values, positionals } = parseArgs({
  // One `--` too many is what `node test/run.mjs bench -- token` gives.
  args: process.argv.slice(2).filter((arg, index) => arg !== '--' || index > 0),
  allowPositionals: true,
  options: { json: { type: 'string' }, node: { type: 'string' } },
});
const unknown = positionals.filter((name) => !files.some((file) => file === name));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${files.join(', ')}`);
  process.exit(2);
}
const node = values.node === undefined ? process.execPath : nodeOf(Number(values.node));

/** Makes one script of a file of benchmarks; what it imports from packages stays there, as for a user. */
async function bundle(file: string): Promise<string> {
  const outfile = join(folder, '.output', `${file}.mjs`);
  await build({
    stdin: {
      contents: `import { rows } from './${file}.ts'; import { serve } from './worker.ts'; await serve(rows);`,
      resolveDir: folder,
    },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
  });
  return outfile;
}

/** Runs the script and resolves with what it sends. */
function ask<T>(script: string, ...args: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(script, args, { execPath: node, execArgv: flags });
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code, signal) => reject(new Error(`${script} ${args.join(' ')} ended with ${signal ?? code}`)));
  });
}

async function measureFile(file: string): Promise<Figure[]> {
  const script = await bundle(file);
  const names = await ask<string[]>(script);
  const lines = [];
  let runtime = '';
  for (const [index, name] of names.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${file} ${index + 1}/${names.length}: ${name}`);
    const runs: Measured[] = [];
    for (let i = 0; i < PROCESSES; i++) runs.push(await ask<Measured>(script, String(index)));
    runtime = runs[0]?.runtime ?? runtime;
    lines.push(...linesOf(runs));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  console.log(`\n${file}, ${runtime}\n`);
  print(lines);
  return figuresOf(lines);
}

const start = performance.now();
const [cpu] = cpus();
console.log(
  `${cpus().length} × ${cpu?.model}, ${process.platform} ${process.arch}, ${new Date().toISOString().slice(0, 10)}`,
);
const figures: Figure[] = [];
for (const file of files) {
  if (positionals.length === 0 || positionals.includes(file)) figures.push(...(await measureFile(file)));
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
const missed = figures.filter(({ met }) => met === false).length;
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`\n${figures.filter(({ met }) => met).length} budgets met, ${missed} not; ${seconds} s`);
