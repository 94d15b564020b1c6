// Runs the tests of what was built on every runtime: `npm run runtimes`, or `npm run runtimes -- 24 bun`.
// `--only <text>` takes the files whose path contains it, `--suite <name>` those of one suite; both may be repeated.
// `--quick` takes a part of the unit tests that says most in least time: less than a minute on two processors.
// `--changed` takes over from the last run what has not changed since and had not failed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/packages.ts';
import { bundle, bundleOf } from './bundle.ts';
import { writePage } from './doc.ts';
import { execute, holdToFirst, type Row } from './execute.ts';
import { isQuick, type TestFile, testFiles } from './files.ts';
import { type Runtime, runtimes } from './runtimes.ts';
import { tableOf } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    suite: { type: 'string', multiple: true },
    changed: { type: 'boolean' },
    quick: { type: 'boolean' },
  },
});
const wrong = positionals.find((asked) => !runtimes.some(({ id }) => id === asked));
if (wrong !== undefined)
  throw new Error(`there is no runtime ${wrong}: there are ${runtimes.map(({ id }) => id).join(', ')}`);

const chosen = positionals.length === 0 ? runtimes : runtimes.filter(({ id }) => positionals.includes(id));
const files = testFiles(values.only).filter(
  ({ suite, path }) => (values.suite?.includes(suite) ?? true) && (values.quick !== true || isQuick(path)),
);
if (files.length === 0) throw new Error('there is no such file of tests');

const bundled = new Set<string>();
const rows: Row[] = [];
for (const runtime of chosen) {
  if (!bundled.has(runtime.kind.name)) await bundle(runtime.kind, files);
  bundled.add(runtime.kind.name);
  console.log(`\n${runtime.name} (${runtime.id})`);
  const row = await execute(runtime, {
    files,
    namesIn,
    changedOnly: values.changed === true,
    say: (text) => console.log(text),
  });
  rows.push(row);
  console.log(`  ${row.broken ?? `${(row.took / 1_000).toFixed(0)} s`}`);
}
holdToFirst(rows.filter(({ broken }) => broken === undefined));
for (const { name, tests } of rows) {
  for (const { file, why } of tests.filter((test) => test.name === '(the file)'))
    console.log(`  ${name}: ${file}: ${why}`);
}
console.log(`\n${tableOf(rows)}`);
for (const row of rows) {
  const report = join(root, `test/.output/runtimes/${row.id}.json`);
  writeFileSync(report, `${JSON.stringify(row, undefined, 1)}\n`);
}
console.log('\nEach test by name, with the reason where it was skipped: test/.output/runtimes/<runtime>.json');
// A part of the tests, or other recordings, say nothing about the page's.
const isWhole =
  values.only === undefined && values.suite === undefined && values.quick !== true && !process.env['TOKIO_TRACES'];
if (isWhole)
  writePage(
    rows.filter(({ broken }) => broken === undefined),
    new Date().toISOString().slice(0, 10),
  );
process.exitCode = rows.every(
  ({ broken, tests }) => broken === undefined && !tests.some(({ state }) => state === 'failed'),
)
  ? 0
  : 1;

/** Asks this Node, which has everything, which tests are in a file that another runtime cannot even load. */
async function namesIn(file: TestFile): Promise<string[]> {
  const [reference] = runtimes as readonly [Runtime];
  if (!bundled.has(reference.kind.name)) {
    await bundle(reference.kind, files);
    bundled.add(reference.kind.name);
  }
  const session = await reference.open();
  try {
    const { results } = await session.run(bundleOf(reference.kind, file), file, { timeout: 60_000, listOnly: true });
    return results.map(({ name }) => name);
  } finally {
    await session.close();
  }
}
