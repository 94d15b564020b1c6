// `npm run bench`, `npm run bench -- token`, `npm run bench -- token --node 24 --json figures.json`,
// `npm run bench -- --record`, `npm run bench -- token sizes --record`.
//
// What is measured runs on plain Node, on the packages as they were built: a loader that renames or wraps functions on the
// way makes hot code several times slower. Each row has processes of its own, so that none pays for what another one has
// taught the optimiser.

import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { nodeOf } from '../runtimes/install.ts';
import type { Measured } from './harness.ts';
import { files, nodes, requireCommitted, withBlock, withRatios, withSizes } from './record.ts';
import { measureSizes, tableOfSizes } from './sizes.ts';
import { type Figure, figuresOf, type Line, linesOf, tableOf } from './table.ts';

const names = [...files, 'sizes'];
const PROCESSES = 3;
/** Without the last one, collections that a rival asks for would also throw away the code of whoever is not its turn. */
const flags = ['--conditions=built', '--expose-gc', '--no-flush-bytecode'];
const folder = import.meta.dirname;
const page = join(folder, '../../docs/benchmarks.md');
const readme = join(folder, '../../README.md');

const { values, positionals } = parseArgs({
  // One `--` too many is what `node test/run.mjs bench -- token` gives.
  args: process.argv.slice(2).filter((arg, index) => arg !== '--' || index > 0),
  allowPositionals: true,
  options: { json: { type: 'string' }, node: { type: 'string' }, record: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}
const current = Number(process.versions.node.split('.')[0]);
const majors = values.node !== undefined ? [Number(values.node)] : values.record ? nodes : [current];
if (values.record && !majors.every((major) => nodes.includes(major))) {
  throw new Error(`docs/benchmarks.md is about Node ${nodes}`);
}
/** The one that is recorded; `undefined`: this run only prints. */
const commit = values.record ? requireCommitted() : undefined;
const isWanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);

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
function ask<T>(node: string, script: string, ...args: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(script, args, { execPath: node, execArgv: flags });
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code, signal) => reject(new Error(`${script} ${args.join(' ')} ended with ${signal ?? code}`)));
  });
}

async function measureFile(file: string, node: string): Promise<Line[]> {
  const script = await bundle(file);
  const rows = await ask<string[]>(node, script);
  const lines: Line[] = [];
  for (const [index, name] of rows.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${file} ${index + 1}/${rows.length}: ${name}`);
    const runs: Measured[] = [];
    for (let i = 0; i < PROCESSES; i++) runs.push(await ask<Measured>(node, script, String(index)));
    lines.push(...linesOf(runs));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return lines;
}

/** Changes a file; each block is written as soon as it is known, so that a record that is stopped keeps what it has. */
function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

const start = performance.now();
const [cpu] = cpus();
const machine = `${cpus().length} × ${cpu?.model}, ${process.platform} ${process.arch}`;
console.log(`${machine}, ${new Date().toISOString().slice(0, 10)}`);

if (isWanted('sizes')) {
  const sizes = measureSizes();
  const table = tableOfSizes(sizes);
  console.log(`\nsizes\n\n${table}`);
  if (commit !== undefined) {
    rewrite(page, (text) => withBlock(text, 'sizes', `Node ${process.versions.node}`, commit, table));
    rewrite(readme, (text) => withSizes(text, sizes));
  }
}

const figures: Figure[] = [];
for (const major of majors) {
  const node = nodeOf(major);
  for (const file of files.filter(isWanted)) {
    const lines = await measureFile(file, node);
    const [first] = lines;
    if (first === undefined) throw new Error(`${file} has no rows`);
    const table = tableOf(lines);
    const runtime = first.runtime.replace('node', 'Node');
    console.log(`\n${file}, ${runtime}\n\n${table}`);
    figures.push(...figuresOf(lines));
    if (commit === undefined) continue;
    rewrite(page, (text) => withBlock(text, `${file}, Node ${major}`, `${runtime}, ${machine}`, commit, table));
    rewrite(readme, (text) => withRatios(text, readFileSync(page, 'utf8')));
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
const [met, missed] = [true, false].map((is) => figures.filter((figure) => figure.met === is).length);
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`\n${figures.length === 0 ? '' : `${met} budgets met, ${missed} not; `}${seconds} s`);
