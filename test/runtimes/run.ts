// Runs the tests against the built packages on every runtime: `npm run runtimes`, or `npm run runtimes -- 24 bun`.
// Other arguments are vitest's filters: `npm run runtimes -- bun packages/select`.
// `--quick` runs the unit tests that contain `using`, which Node 20 lacks.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/packages.ts';
import { judge } from './differences.ts';
import { writePage } from './doc.ts';
import { isWeb } from './inside/plugin.ts';
import { outside, type Report, type Result } from './reporter.ts';
import { holdToFirst, type Row } from './rows.ts';
import { type Runtime, runtimes } from './runtimes.ts';
import { tableOf } from './table.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean' } } });
const isId = (text: string): boolean => runtimes.some(({ id }) => id === text);
const named = runtimes.filter(({ id }) => positionals.includes(id));
const filters = positionals.filter((text) => !isId(text));
const isWhole = filters.length === 0 && values.quick !== true && !process.env['TOKIO_TRACES'];
const output = join(root, 'test/.output/runtimes');
mkdirSync(output, { recursive: true });

const chosen = named.length === 0 ? runtimes : named;
// workerd and Chromium use little more than one processor, so they run beside the others.
const lanes = [chosen.filter(({ id }) => !isWeb(id)), chosen.filter(({ id }) => isWeb(id))];
const rows = (await Promise.all(lanes.map(rowsOf))).flat();
holdToFirst([...lastOfFirst(), ...rows].filter(({ broken }) => broken === undefined));
for (const { id, tests } of rows) {
  for (const { file, name, why = '' } of tests.filter(({ state }) => state === 'failed'))
    console.log(`  ${id}: ${file} > ${name}\n    ${why.replaceAll('\n', '\n    ')}`);
}
console.log(`\n${tableOf(rows)}`);
console.log('\nEach test by name, with the reason where it was skipped: test/.output/runtimes/<runtime>.json');
if (isWhole) {
  const whole = rows.filter(({ broken }) => broken === undefined);
  writePage(whole, new Date().toISOString().slice(0, 10));
}
const isGreen = ({ broken, tests }: Row): boolean =>
  broken === undefined && tests.length > 0 && !tests.some(({ state }) => state === 'failed');
process.exitCode = rows.every(isGreen) ? 0 : 1;

async function rowsOf(lane: readonly Runtime[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const runtime of lane) {
    console.log(`\n${runtime.name} (${runtime.id}) …`);
    const begin = performance.now();
    const row = await rowOf(runtime);
    rows.push(row);
    console.log(`  ${runtime.name}: ${row.broken ?? `${((performance.now() - begin) / 1_000).toFixed(0)} s`}`);
  }
  return rows;
}

/** Returns the row of the last run of the first runtime, to which the others are held, unless it runs now. */
function lastOfFirst(): Row[] {
  const [first] = runtimes;
  if (!isWhole || first === undefined || chosen.includes(first)) return [];
  const report = join(output, `${first.id}.json`);
  if (!existsSync(report)) return [];
  return [{ ...first, version: '', tests: JSON.parse(readFileSync(report, 'utf8')) as Result[] }];
}

async function rowOf({ id, name, using, command, version }: Runtime): Promise<Row> {
  const report = join(output, `${id}.json`);
  rmSync(report, { force: true });
  try {
    const row = { id, name, using, version: version() };
    const end = await vitest(command(), { QUIESCE_RUNTIME: id, QUIESCE_REPORT: report });
    if (!existsSync(report)) return { ...row, tests: [], broken: `vitest ${end} without a report` };
    const { hasFailed, results } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const tests = results.map((result) => judge(id, result));
    if (end !== 'ended with 0' && !hasFailed)
      tests.push({ file: '', name: outside, state: 'failed', why: `vitest ${end} after its report` });
    writeFileSync(report, `${JSON.stringify(tests, undefined, 1)}\n`);
    return { ...row, tests };
  } catch (error) {
    const broken = error instanceof Error ? error.message : String(error);
    return { id, name, using, version: '', tests: [], broken };
  }
}

/** @returns how the process ended */
function vitest([binary, ...args]: ReturnType<Runtime['command']>, env: Record<string, string>): Promise<string> {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/runtimes/vitest.config.ts', ...filters];
  const quick = values.quick === true ? { QUIESCE_QUICK: '1' } : {};
  const child = spawn(binary, [...args, ...vitest], {
    cwd: root,
    env: { ...process.env, ...env, ...quick },
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal === null ? `ended with ${code}` : `was ended by ${signal}`));
  });
}
