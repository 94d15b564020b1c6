// `npm run bench`, `npm run bench -- token`, `npm run bench -- token --node 24 --json figures.json`,
// `npm run bench -- --record`, `npm run bench -- token sizes --record`.
//
// The measured code runs on plain Node and imports the built packages. A loader that renames or wraps functions makes hot code
// several times slower. Each row has processes of its own, because each row changes the decisions of the optimiser.

import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { nodeOf } from '../runtimes/install.ts';
import { compare } from './fast-check.ts';
import type { Measured } from './harness.ts';
import { files, nodes, requireCommitted, withBlock, withSizes } from './record.ts';
import { measureSizes, tableOfSizes } from './sizes.ts';
import { type Figure, figuresOf, type Line, linesOf, tableOf } from './table.ts';

const names = [...files, 'sizes', 'fast-check'];
const PROCESSES = 3;
/** Without the last flag, a collection for one subject would discard the optimised code of the others. */
const flags = ['--conditions=built', '--expose-gc', '--no-flush-bytecode'];
const folder = import.meta.dirname;
const page = join(folder, '../../docs/benchmarks.md');
const readme = join(folder, '../../README.md');
const comparison = join(folder, '../../docs/guide/explore-and-fast-check.md');

const { values, positionals } = parseArgs({
  // `node test/run.mjs bench -- token` passes the `--` on.
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
  throw new Error(
    `docs/benchmarks.md has tables for Node ${nodes.join(' and ')} only: omit --node, or choose one of these`,
  );
}
/** The commit that is recorded; `undefined` when this run only prints. */
const commit = values.record ? requireCommitted() : undefined;
const isWanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);

/** Bundles a file of benchmarks into one script, which still imports the packages, as a user's program does. */
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

/** Runs the script and resolves with the message that it sends. */
function request<T>(node: string, script: string, ...args: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(script, args, { execPath: node, execArgv: flags });
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code, signal) => reject(new Error(`${script} ${args.join(' ')} ended with ${signal ?? code}`)));
  });
}

async function measureFile(file: string, node: string): Promise<Line[]> {
  const script = await bundle(file);
  const rows = await request<string[]>(node, script);
  const lines: Line[] = [];
  for (const [index, name] of rows.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${file} ${index + 1}/${rows.length}: ${name}`);
    const runs: Measured[] = [];
    for (let i = 0; i < PROCESSES; i++) runs.push(await request<Measured>(node, script, String(index)));
    lines.push(...linesOf(runs));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return lines;
}

/** Changes a file. It is called after each block, so that an interrupted record keeps the finished blocks. */
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

if (isWanted('fast-check')) {
  const table = await compare();
  console.log(`\nfast-check\n\n${table}`);
  const where = `Node ${process.versions.node}, ${machine}`;
  if (commit !== undefined) rewrite(comparison, (text) => withBlock(text, 'fast-check', where, commit, table));
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
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
const [met, missed] = [true, false].map((is) => figures.filter((figure) => figure.met === is).length);
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`\n${figures.length === 0 ? '' : `${met} budgets met, ${missed} not; `}${seconds} s`);
